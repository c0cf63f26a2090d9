"""What is wrong between a store and the rows, decided from what was seen; and the plan: what to do about it.

Nobody stops for fsck, so much of what it sees is in motion. What is judged here therefore only counts once it was seen
again after the fact (`registry/core/fsck_run.py`), in the order that the writers keep:

    a row is there before its first byte         so bytes without a row, and a look later still there, are nobody's
    a row goes after its last byte               so a live row that is still live after its bytes were missed is damaged
    what a commit changes, it changes at once    so rows that contradict each other in one statement do so for good
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import (
    NOWHERE,
    ContentRow,
    Held,
    HeldKind,
    Lack,
    Miscount,
    ObjectRow,
    ObjectState,
    Places,
    ProjectUsage,
)
from registry.oci.digest import Digest
from registry.oci.manifest import needs

GRACE: Final = timedelta(hours=1)
"""Bytes that nobody names count from this age on: more than the database and the store, each with a clock of its own,
and a request that the network carries late, can be apart."""


class What(StrEnum):
    """What can be wrong."""

    OBJECT_MISSING = "object-missing"
    OBJECT_SIZE = "object-size"
    OBJECT_BYTES = "object-bytes"
    OBJECT_UNREADABLE = "object-unreadable"
    BLOB_DAMAGED = "blob-damaged"
    BLOB_NOT_LIVE = "blob-not-live"
    OBJECT_UNNAMED = "object-unnamed"
    SESSION_ASTRAY = "session-astray"
    CONTENT_BYTES = "content-bytes"
    UNKNOWN_OBJECT = "unknown-object"
    UNKNOWN_TAIL = "unknown-tail"
    UNKNOWN_MULTIPART = "unknown-multipart"
    FOREIGN = "foreign"
    MANIFEST_PARTS = "manifest-parts"
    LINKS = "links"
    USED = "used"


class Remedy(StrEnum):
    """What can be done about it."""

    MARK_DAMAGED = "mark damaged"
    VERIFY = "verify"
    REVIVE = "revive"
    DOOM = "doom"
    END_SESSION = "end session"
    ADOPT = "adopt"
    OWN = "own"
    ABORT = "abort"
    RECOUNT = "recount"


class Outcome(StrEnum):
    """What came of it. What is marked is served no more, and is whole again only when it is pushed again."""

    LEFT = "left"
    MARKED = "marked"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator lets us do; with `read` the bytes of every live object are read.

    `sparse`: manifests may lack parts. `resume`: a paused collector goes on, whatever is left.
    """

    repair: bool = False
    adopt: bool = False
    delete: bool = False
    read: bool = False
    sparse: bool = False
    resume: bool = False
    grace: timedelta = GRACE


@dataclass(frozen=True, slots=True)
class Charge:
    """A project, with the content that is charged wrongly, or its sum that is."""

    project: ProjectUsage
    miscount: Miscount | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: `name` is a storage key, a digest or a project, and `about` what was seen."""

    what: What
    name: str
    reason: str
    about: ObjectRow | ContentRow | Held | Charge | Lack
    places: Places = NOWHERE


# What each wants done, and which leave is needed for it; the first that is given.
REMEDIES: Final[Mapping[What, tuple[tuple[Remedy, str], ...]]] = {
    What.OBJECT_MISSING: ((Remedy.MARK_DAMAGED, "repair"),),
    What.OBJECT_SIZE: ((Remedy.MARK_DAMAGED, "repair"),),
    What.OBJECT_BYTES: ((Remedy.MARK_DAMAGED, "repair"),),
    What.OBJECT_UNREADABLE: ((Remedy.MARK_DAMAGED, "repair"),),
    What.BLOB_DAMAGED: ((Remedy.VERIFY, "repair"),),
    What.BLOB_NOT_LIVE: ((Remedy.REVIVE, "repair"),),
    What.OBJECT_UNNAMED: ((Remedy.DOOM, "repair"),),
    What.SESSION_ASTRAY: ((Remedy.END_SESSION, "repair"),),
    What.CONTENT_BYTES: ((Remedy.MARK_DAMAGED, "repair"),),
    What.UNKNOWN_OBJECT: ((Remedy.ADOPT, "adopt"), (Remedy.OWN, "delete")),
    What.UNKNOWN_TAIL: ((Remedy.OWN, "delete"),),
    What.UNKNOWN_MULTIPART: ((Remedy.ABORT, "delete"),),
    # No row can own it, and who put it there is not known.
    What.FOREIGN: (),
    # Only a push brings what is nowhere.
    What.MANIFEST_PARTS: (),
    What.LINKS: ((Remedy.RECOUNT, "repair"),),
    What.USED: ((Remedy.RECOUNT, "repair"),),
}


def plan(finding: Finding, allowed: Allowed) -> Remedy | None:
    """What to do; None when nothing can be done, or nobody said that it may."""
    return next((remedy for remedy, leave in REMEDIES[finding.what] if getattr(allowed, leave)), None)


def judge_row(row: ObjectRow) -> list[Finding]:
    """What a row and those that name it say against each other."""
    found = []
    if row.upload is not None and row.state is not ObjectState.RECEIVING:
        reason = f"an upload session would write to it, and it is {row.state}"
        found.append(Finding(What.SESSION_ASTRAY, str(row.key), reason, row))
    if row.digest is not None and row.state is not ObjectState.LIVE:
        found.append(Finding(What.BLOB_NOT_LIVE, str(row.digest), f"its object {row.key} is {row.state}", row))
    is_named = row.digest is not None or (row.upload is not None and row.state is ObjectState.RECEIVING)
    if not is_named and row.state is not ObjectState.DOOMED:
        wanted = "a blob" if row.state is ObjectState.LIVE else "an upload session"
        reason = f"it is {row.state}, and {wanted} does not name it"
        found.append(Finding(What.OBJECT_UNNAMED, str(row.key), reason, row))
    return found


def judge_bytes(row: ObjectRow, size: int | None, computed: Digest | None = None) -> Finding | None:
    """What the store's object says against a row that is served; `computed` when its bytes were read."""
    name = str(row.digest)
    if size is None:
        return Finding(What.OBJECT_MISSING, name, f"the store has no {row.key}", row)
    if size != row.size:
        return Finding(What.OBJECT_SIZE, name, f"{row.key} has {size} bytes instead of {row.size}", row)
    if computed is not None and computed != row.digest:
        return Finding(What.OBJECT_BYTES, name, f"the bytes of {row.key} are {computed}", row)
    return None


def judge_damaged(row: ObjectRow, size: int | None) -> Finding:
    """Of a blob that is marked already."""
    if size == row.size:
        reason = f"it is marked damaged, though {row.key} has as many bytes as it should"
    else:
        has = "is missing" if size is None else f"has {size} bytes instead of {row.size}"
        reason = f"it is marked damaged, and {row.key} {has}; push it again"
    return Finding(What.BLOB_DAMAGED, str(row.digest), reason, row)


def judge_content(row: ContentRow) -> Finding | None:
    """Of bytes in SQL."""
    computed = Digest.of(row.content, row.digest.algorithm)
    if computed != row.digest:
        reason = f"its bytes in the database are {computed}; push it again"
        return Finding(What.CONTENT_BYTES, str(row.digest), reason, row)
    if row.is_damaged:
        reason = "it is marked damaged, though its bytes in the database are what they should be; push it again"
        return Finding(What.BLOB_DAMAGED, str(row.digest), reason, row)
    return None


def judge_held(
    held: Held, rows: Mapping[ObjectKey, ObjectRow], is_needed: Callable[[Held, str], bool]
) -> Finding | None:
    """Whether something in the store is nobody's; `rows` are those of its key and its owner, as far as there are any.

    What a receiving or a doomed row has goes when that goes: a session's end and the sweeper see to it.
    """
    if held.key is None or held.owner is None:
        return Finding(What.FOREIGN, held.name, "it has no name of ours", held)
    row = rows.get(held.key)
    if held.kind is HeldKind.OBJECT:
        return None if row else _unknown(What.UNKNOWN_OBJECT, held, f"no row names its {held.size} bytes")
    if held.kind is HeldKind.TAIL:
        ends = row is not None and row.state is not ObjectState.LIVE
        return None if ends or held.owner in rows else _unknown(What.UNKNOWN_TAIL, held, "no upload session has it")
    if row is None or row.state is ObjectState.LIVE:
        return _unknown(What.UNKNOWN_MULTIPART, held, f"no upload session has the multipart upload {held.upload}")
    if row.state is ObjectState.RECEIVING and not is_needed(held, row.stored):
        return _unknown(What.UNKNOWN_MULTIPART, held, f"its upload session goes on without {held.upload}")
    return None


def judge_lack(lack: Lack, content: bytes) -> Finding | None:
    """Of a manifest with these bytes: what is distributed elsewhere it need not have."""
    if not needs(content, lack.media_type, lack.part):
        return None
    name = f"{lack.repository}@{lack.manifest}"
    reason = f"it needs {lack.part}, which is not there; push it again"
    return Finding(What.MANIFEST_PARTS, name, reason, lack)


def judge_usage(project: ProjectUsage) -> Finding | None:
    """Of a project's counter."""
    if project.used == project.owed:
        return None
    reason = f"its counter says {project.used} bytes, and it is charged {project.owed}"
    return Finding(What.USED, project.name, reason, Charge(project))


def judge_miscount(project: ProjectUsage, miscount: Miscount) -> Finding:
    """Of one content of a project."""
    reason = (
        f"{miscount.kind} {miscount.digest} is charged for {miscount.counted} links and {miscount.charged} bytes,"
        f" and has {miscount.held} links and {miscount.size} bytes"
    )
    return Finding(What.LINKS, project.name, reason, Charge(project, miscount))


def _unknown(what: What, held: Held, reason: str) -> Finding:
    return Finding(what, held.name, reason, held)
