"""What scrubbing keeps between its passes, each as the text of a setting, and what it is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from registry.core.facts import ContentKind, HashState, ObjectKey
from registry.core.fsck_facts import ObjectRow, Places
from registry.oci.digest import Digest

WALK: Final = "scrub_contents"
DOUBTS: Final = "scrub_doubts"
LAST: Final = "scrub_last"
PROGRESS: Final = "scrub_progress"
"""Settings; whoever reads large objects beside the background work keeps its progress under another name."""

_TIMES: Final = 3
_FOR: Final = timedelta(minutes=10)
_MOST_DOUBTS: Final = 100


@dataclass(frozen=True, slots=True)
class Due:
    """A blob's object that is to be read; blobs come by when they were last verified, and by their ids."""

    verified: datetime
    blob: int
    row: ObjectRow


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of one object has come; `is_again` when it was found wrong, and this is the second look."""

    key: ObjectKey
    offset: int
    hash: HashState
    is_again: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`."""
        found = json.loads(text)
        state = HashState(found["algorithm"], found["format"], base64.b64decode(found["state"]))
        return cls(ObjectKey(found["key"]), found["offset"], state, found["is_again"])

    def __str__(self) -> str:
        return json.dumps(
            {
                "key": self.key.text,
                "offset": self.offset,
                "algorithm": self.hash.algorithm,
                "format": self.hash.format,
                "state": base64.b64encode(self.hash.state or b"").decode(),
                "is_again": self.is_again,
            }
        )


@dataclass(frozen=True, slots=True)
class Walk:
    """The walk through what lies in SQL, in the order of ids: `after` is the last one that was looked at."""

    began: datetime
    after: int = 0
    ended: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`."""
        found = json.loads(text)
        ended = found["ended"]
        return cls(
            datetime.fromisoformat(found["began"]), found["after"], datetime.fromisoformat(ended) if ended else None
        )

    def __str__(self) -> str:
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def after_former(cls, former: Self | None, now: datetime) -> Self:
        """The one to go on with: what was begun, or another from the beginning."""
        return former if former is not None and former.ended is None else cls(now)

    def is_due(self, until: datetime) -> bool:
        """Whether it is to be gone on with, or to be begun anew."""
        return self.ended is None or self.began <= until

    def at(self, last: int) -> Self:
        """It has come so far."""
        return replace(self, after=last)

    def over(self, now: datetime) -> Self:
        """It has come to its end."""
        return replace(self, ended=now)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An object whose medium has not given its bytes, since when, and how often it was asked."""

    since: datetime
    times: int = 1

    def is_sure(self, now: datetime) -> bool:
        """Whether it is the medium and no moment's trouble."""
        return self.times >= _TIMES and now - self.since >= _FOR


@dataclass(slots=True)
class Doubts:
    """By the key of the object; of a disk that dies altogether some."""

    each: dict[str, Doubt]

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """The inverse of `str`; none for None."""
        found = json.loads(text or "{}")
        return cls({key: Doubt(datetime.fromisoformat(since), times) for key, (since, times) in found.items()})

    def __str__(self) -> str:
        return json.dumps({key: (doubt.since.isoformat(), doubt.times) for key, doubt in self.each.items()})

    def deepen(self, key: ObjectKey, now: datetime) -> Doubt:
        """It was unreadable once more."""
        former = self.each.get(key.text)
        doubt = Doubt(former.since, former.times + 1) if former else Doubt(now)
        if former or len(self.each) < _MOST_DOUBTS:
            self.each[key.text] = doubt
        return doubt

    def keep(self, unread: AbstractSet[ObjectKey]) -> None:
        """All that is due was asked for, and only these could not be read: other doubts are about what is gone."""
        self.each = {key: doubt for key, doubt in self.each.items() if ObjectKey(key) in unread}

    def forget(self, key: ObjectKey) -> None:
        """It was decided about."""
        self.each.pop(key.text, None)


@dataclass(frozen=True, slots=True)
class Sums:
    """How much there is, and how much of that was verified lately; contents are those that the walk has passed."""

    objects: int
    bytes: int
    verified: int
    verified_bytes: int
    oldest: datetime | None
    contents: int
    walked: int
    damaged_blobs: int
    damaged_manifests: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something that is not served until it is pushed again, since when, and whom that hits."""

    kind: ContentKind
    digest: Digest
    size: int
    since: datetime
    places: Places

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.kind.value,
            "digest": str(self.digest),
            "size": self.size,
            "since": self.since.isoformat(),
            "repositories": list(self.places.repositories),
            "tags": list(self.places.tags),
            "more_places": self.places.more,
        }
