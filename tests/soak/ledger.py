"""What clients were told, and what must be true therefore.

A name (of a tag, a manifest, a blob that is deleted by name) has a value or is absent. Who changes it says so before it
asks, and again when it has its answer:

    begin ──▶ asks, and again while workers die ──▶ end: done, refused, or never known
      from now on the new value is possible           done, and alone all the time: nothing else is possible

Changes that overlapped leave every value possible that any of them may have left, until somebody changes the name
alone. One whose answer never came goes on for good: nobody knows when it happens. To delete a repository is a change
of everything in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What has a name: in a repository, a manifest and a blob by digest; and a repository, whose text is empty."""

    MANIFEST = "manifest"
    TAG = "tag"
    BLOB = "blob"
    REPOSITORY = "repository"


class Name(NamedTuple):
    """Of one thing in one repository."""

    kind: Kind
    repository: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.repository} {self.text}"


Value = str | None
"""A tag has the digest that it points to, a manifest its own."""
ABSENT: Final[Value] = None


class Answer(StrEnum):
    """How a change ended."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Look:
    """A name as it was seen once; quiet when nobody was changing it."""

    name: Name
    begun: int
    is_quiet: bool
    possible: frozenset[Value]

    def has(self, value: Value) -> bool:
        """Whether it certainly had this value."""
        return self.is_quiet and self.possible == {value}

    @property
    def value(self) -> Value:
        """The only possible value; absent where there are several."""
        return next(iter(self.possible)) if self.is_quiet and len(self.possible) == 1 else ABSENT


@dataclass(slots=True)
class Change:
    """What names come to by one request; `falling` are tags that go with the manifest they point to."""

    number: int
    values: Mapping[Name, Value]
    falling: Sequence[Name]
    before: Mapping[Name, Look]
    is_alone: bool


@dataclass(slots=True)
class _State:
    possible: set[Value] = field(default_factory=lambda: {ABSENT})
    begun: int = 0
    changing: set[int] = field(default_factory=set)


class Ledger:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._states: dict[tuple[Kind, str], dict[str, _State]] = defaultdict(dict)
        self._open: dict[int, Change] = {}
        self._subjects: dict[Name, Name] = {}
        self._deleted: set[Name] = set()
        self._number = 0
        self._lock = Lock()

    def attach(self, referrer: Name, subject: Name) -> None:
        """The collector takes a referrer along when its subject has gone: from then on nothing is sure about it."""
        with self._lock:
            self._subjects[referrer] = subject

    def begin(self, values: Mapping[Name, Value]) -> Change:
        """Somebody is about to ask for these values."""
        with self._lock:
            return self._begin(values, ())

    def begin_deleting(self, manifest: Name) -> Change:
        """Somebody is about to delete a manifest, and with it every tag that points to it."""
        with self._lock:
            self._deleted.add(manifest)
            tags = self._states[Kind.TAG, manifest.repository]
            falling = [text for text, state in tags.items() if manifest.text in state.possible]
            names = [Name(Kind.TAG, manifest.repository, text) for text in falling]
            return self._begin({manifest: ABSENT}, names)

    def begin_deleting_all(self, repository: str) -> Change:
        """Somebody is about to delete a whole repository."""
        with self._lock:
            living = [name for kind in (Kind.MANIFEST, Kind.TAG) for name in self._living(kind, repository)]
            return self._begin(dict.fromkeys([_whole(repository), *living], ABSENT), ())

    def end(self, change: Change, answer: Answer) -> None:
        """The answer is here, or never will be."""
        if answer is Answer.UNKNOWN:
            return
        with self._lock:
            del self._open[change.number]
            for name in (*change.values, *change.falling):
                state = self._state(name)
                state.changing.discard(change.number)
                state.possible = self._left(change, answer, name, state.possible)

    def look(self, name: Name) -> Look:
        """How it is by now."""
        with self._lock:
            return self._look(name)

    def stands(self, *looks: Look) -> bool:
        """Whether all were quiet, and nobody has begun to change any of them since."""
        with self._lock:
            return all(look.is_quiet and self._look(look.name) == look for look in looks)

    def living(self, kind: Kind, repository: str) -> list[Name]:
        """Everything that may be there."""
        with self._lock:
            return self._living(kind, repository)

    def referrers(self, subject: Name) -> list[Name]:
        """What was ever attached to it."""
        with self._lock:
            return [referrer for referrer, attached in self._subjects.items() if attached == subject]

    def _living(self, kind: Kind, repository: str) -> list[Name]:
        states = self._states[kind, repository].items()
        return [Name(kind, repository, text) for text, state in states if state.possible != {ABSENT}]

    def _begin(self, values: Mapping[Name, Value], falling: Sequence[Name]) -> Change:
        self._number += 1
        names = (*values, *falling)
        before = {name: self._look(name) for name in names}
        others = {number for name in names for number in self._changing(name)}
        for number in others:
            self._open[number].is_alone = False
        change = self._open[self._number] = Change(self._number, values, falling, before, is_alone=not others)
        for name in names:
            state = self._state(name)
            state.possible.add(values.get(name, ABSENT))
            state.begun += 1
            state.changing.add(change.number)
        return change

    def _changing(self, name: Name) -> set[int]:
        """Changes that the name may have a part in."""
        if name.kind is not Kind.REPOSITORY:
            return self._state(name).changing | self._state(_whole(name.repository)).changing
        states = (state for kind in Kind for state in self._states[kind, name.repository].values())
        return {number for state in states for number in state.changing}

    def _left(self, change: Change, answer: Answer, name: Name, possible: set[Value]) -> set[Value]:
        """What is possible once the change is over."""
        if not change.is_alone:
            # Absent too: a tag may have gone with its manifest meanwhile.
            return possible | {ABSENT}
        if answer is Answer.REFUSED:
            return set(change.before[name].possible)
        if name in change.values:
            return {change.values[name]}
        return {ABSENT} | (possible - {manifest.text for manifest in change.values})

    def _look(self, name: Name) -> Look:
        state, whole = self._state(name), self._state(_whole(name.repository))
        is_quiet = not (state.changing or whole.changing) and self._subjects.get(name) not in self._deleted
        return Look(name, state.begun + whole.begun, is_quiet, frozenset(state.possible))

    def _state(self, name: Name) -> _State:
        return self._states[name.kind, name.repository].setdefault(name.text, _State())


def _whole(repository: str) -> Name:
    return Name(Kind.REPOSITORY, repository, "")
