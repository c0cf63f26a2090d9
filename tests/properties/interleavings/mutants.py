"""Locks and conditions taken away, one at a time, and the scene that then goes wrong (design 3).

A mutant is the text of a statement as it would be without, or a method that looks before it holds. A lock that no
scene misses is one that nobody needs, or one that a scene is missing for: `UNMISSED` says which are kept all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from registry.core import manifests
from registry.core.collect_facts import HeldLink, Review
from registry.core.deletion import Deletion
from registry.core.facts import ContentKind, Repository
from registry.core.ports import Transaction
from registry.metadata import postgres
from registry.metadata.collecting import Collection
from registry.metadata.links import Links
from registry.metadata.manifests import Manifests
from registry.oci.digest import Digest
from tests.support.statements import statements

LOCK: Final = r"\s+FOR (NO KEY UPDATE|KEY SHARE|SHARE|UPDATE)( OF \w+)?( SKIP LOCKED)?"


@dataclass(frozen=True)
class Mutant:
    """The statement of this name without `what`, and the scene that misses it."""

    statement: str
    scene: str
    what: str = LOCK
    preemptions: int = 1

    def __str__(self) -> str:
        return self.statement if self.what == LOCK else f"{self.statement} without {self.what}"


MUTANTS: Final = [
    # Whoever pushes
    Mutant("manifests._HAS_BLOBS", "a push, and the collector of what it needs"),
    Mutant("manifests._HAS_BLOBS", "a push, and the deletion of a blob that it needs"),
    Mutant(
        "manifests._HAS_BLOBS", "a push, and the deletion of a blob that it needs", r" AND link\.deleted_at IS NULL"
    ),
    Mutant("manifests._HAS_CHILDREN", "a push of an index, and the deletion of its child"),
    Mutant(
        "manifests._HAS_CHILDREN",
        "a push of an index, and the deletion of its child",
        r" AND manifest\.deleted_at IS NULL",
    ),
    Mutant("manifests._KNOWN", "a restore, and the collector"),
    Mutant("tags._FIND", "two pushes that move one tag"),
    Mutant("blobs._FIND", "two commits of one blob"),
    Mutant("repositories._HOLD", "a session that begins, and the deletion of its repository"),
    Mutant("uploads._FIND", "two requests for one session"),
    Mutant("quotas._HOLD", "two pushes for the last tag of a project"),
    Mutant("limits._HOLD_OWNER", "two pushes for the last bytes of an owner"),
    Mutant("manifests._HAS_BLOBS", "a push of what needs a blob, the deletion of what did, and the collector"),
    Mutant("quotas._HOLD", "two pushes for the last tag of a project, and a deletion that gives it back"),
    # Whoever deletes
    Mutant("manifests._BY_DIGEST", "a push of an index, and the deletion of its child"),
    Mutant("deletions._HOLD_LIVE", "two deletions of one repository"),
    Mutant("deletions._HOLD_SESSIONS", "a commit of a session, and the deletion of its repository", preemptions=2),
    Mutant("deletions._HOLD", "two restores of one repository"),
    # The collector and the sweeper
    Mutant("collecting._HOLD_LINKS", "a push, and the collector of what it needs"),
    Mutant("collecting._HOLD_LINKS", "a push of what needs a blob, the deletion of what did, and the collector"),
    Mutant("collecting._HOLD_BLOBS", "a mount, the deletion of the blob that is mounted, and the collector"),
    Mutant("collecting._HOLD_BLOBS", "a commit elsewhere, and the collector of the same blob"),
    Mutant("reviews._HOLD", "a deletion of a tag, and the collector that looks at its manifest"),
    Mutant("reviews._HOLD", "a commit, and the collector of the same blob", r" AND review\.due_at = lot\.due_at"),
    Mutant("deleted_manifests._HOLD_MANIFEST", "a restore, and the collector"),
    Mutant("deleted_manifests._HOLD_REFERRERS", "a push that tags a referrer, and the collector of its subject"),
    Mutant("dissolving._HOLD", "a restore of a repository, and the collector"),
    Mutant("dissolving._MANIFESTS", "two collectors of a repository, and of a manifest in it"),
    Mutant("dissolving._HOLD_UNUSED", "a push to what nothing was ever pushed to, and the collector"),
    Mutant("uploads._EXPIRED", "a commit of a session, and its expiry"),
]
_ORDER: Final = "holds rows in one order, whatever order the planner would change them in: no schedule can show that"
_BASE: Final = "is what others are made of, and never run itself"
UNMISSED: Final[Mapping[str, str]] = {
    "links._RENEW_PARTS": _ORDER,
    "manifests._BLOBS": _BASE,
    "manifests._CHILDREN": _BASE,
    "refunds._HOLD": _ORDER,
    "uploads._LAPSED": "the epoch says the same; held only so that nobody is waited for",
}
# Whose races are tests of their own, by module or by name.
_PEOPLE: Final = "tests/unit/metadata/test_postgres_races_of_people.py"
ELSEWHERE: Final[Mapping[str, str]] = {
    "accounts": _PEOPLE,
    "allowances": "tests/contracts/test_quota.py",
    "credentials": _PEOPLE,
    "grants": _PEOPLE,
    "people": _PEOPLE,
    "projects": "tests/contracts/test_quota_races.py",
    "remedies": "tests/contracts/test_inventory.py",
    "standings": "tests/contracts/test_retention_races.py",
    "usage": "tests/contracts/test_inventory.py",
}


@contextmanager
def without(name: str, what: str = LOCK) -> Iterator[None]:
    """Meanwhile PostgreSQL is told the statements of this name without `what`."""
    found = [statement for key, statement in statements().items() if key.partition("[")[0] == name]
    assert found, f"there is no {name}"
    kept = {id(each): (each, postgres._WRITING[each]) for each in found}
    for each, prepared in kept.values():
        text, changes = re.subn(what, "", prepared.text)
        assert changes, f"{name} does not say {what}"
        postgres._WRITING._pages[id(each)] = (each, replace(prepared, text=text))
    try:
        yield
    finally:
        postgres._WRITING._pages.update(kept)


def locking() -> set[str]:
    """Every statement that holds rows, but for those of rooms whose races are elsewhere."""
    return {
        name.partition("[")[0]
        for name, statement in statements().items()
        if name.partition(".")[0] not in ELSEWHERE and re.search(LOCK, postgres._WRITING[statement].text)
    }


# Order of steps


def _links_looked_at_before_they_are_held() -> AbstractContextManager[Any]:
    hold, referenced = Collection.hold_links, Collection.referenced
    seen: list[Any] = []

    def hold_links(self: Collection, reviews: Sequence[Review]) -> Sequence[HeldLink]:
        seen[:] = [referenced(self, [HeldLink(each, 0, datetime.now(UTC)) for each in reviews])]
        return hold(self, reviews)

    return patch.multiple(Collection, hold_links=hold_links, referenced=lambda _, __: seen[0])


def _blob_looked_at_before_it_is_hidden() -> AbstractContextManager[Any]:
    hide, holders = Links.hide, Manifests.holders
    seen: list[Any] = []

    def look_and_hide(self: Links, repository: Repository, digest: Digest) -> bool:
        seen[:] = [holders(Manifests(self._moment), repository, ContentKind.BLOB, digest)]
        return hide(self, repository, digest)

    return _both(patch.object(Links, "hide", look_and_hide), patch.object(Manifests, "holders", lambda *_: seen[0]))


def _manifest_held_before_its_parts() -> AbstractContextManager[Any]:
    def hold(self: Deletion, tx: Transaction, repository: Repository, digest: Digest) -> bool:
        is_visible = tx.manifests.find(repository, digest) is not None
        tx.links.renew_parts(repository, digest, self.lease)
        return is_visible

    return patch.object(Deletion, "hold", hold)


def _parts_reviewed_before_the_manifest_is_held() -> AbstractContextManager[Any]:
    renew = Links.renew_parts

    def renew_and_review(self: Links, repository: Repository, manifest: Digest, lease: timedelta) -> None:
        renew(self, repository, manifest, lease)
        self.review_parts(repository, manifest, lease)

    return patch.object(Links, "renew_parts", renew_and_review)


def _tags_set_as_they_are_told() -> AbstractContextManager[Any]:
    return patch.object(manifests, "sorted", list, create=True)


@contextmanager
def _both(one: AbstractContextManager[Any], other: AbstractContextManager[Any]) -> Iterator[None]:
    with one, other:
        yield


DISORDERS: Final[Mapping[str, tuple[Callable[[], AbstractContextManager[Any]], str]]] = {
    "links are looked at before they are held": (
        _links_looked_at_before_they_are_held,
        "a push, and the collector of what it needs",
    ),
    "a blob is looked at before it is hidden": (
        _blob_looked_at_before_it_is_hidden,
        "a push, and the deletion of a blob that it needs",
    ),
    "a manifest is held before its parts": (
        _manifest_held_before_its_parts,
        "a push by another tag, and the deletion of the manifest",
    ),
    "parts are reviewed before their manifest is held": (
        _parts_reviewed_before_the_manifest_is_held,
        "a deletion of a referrer, and the collector of its subject",
    ),
    "tags are set in the order in which they are told": (
        _tags_set_as_they_are_told,
        "three pushes that move two tags each, in a ring",
    ),
}
