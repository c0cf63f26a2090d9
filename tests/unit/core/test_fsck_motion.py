"""fsck while others push, delete and sweep: what happens between two of its looks is no finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from registry.core.facts import ObjectKey
from registry.core.fsck_facts import Held
from registry.oci.digest import Digest
from tests.support.s3 import s3_server
from tests.system.waiting import eventually
from tests.unit.core.fsck_site import COMBINATIONS, LEFT, REPAIRED, Site, reasons, site
from tests.unit.core.house import APP, OTHER

__all__ = ["s3_server"]  # a fixture, taken in by name

DATA = bytes(range(256)) * 40
LOOKING = {"read": True}
ALL = {"read": True, "repair": True, "adopt": True, "delete": True}
# What is repaired is asked about once more; who only looks is told the truth as well.
whoever = pytest.mark.parametrize("allowed", [LOOKING, ALL], ids=["looking", "repairing"])


class Interrupted:
    """Passes everything on, and before or after some calls lets something happen, once."""

    def __init__(self, behind: Any, before: str, happens: Callable[[], object]) -> None:
        self._behind = behind
        self._before = before
        self._happens: Callable[[], object] | None = happens

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if name == self._before:
            self._happen()
        return found

    def _happen(self) -> None:
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()


class AfterListing(Interrupted):
    """What happens between a listing's page and everything that is asked about it."""

    def __init__(self, behind: Any, happens: Callable[[], object]) -> None:
        super().__init__(behind, "", happens)

    def pages(self) -> Iterator[Sequence[Held]]:
        for page in list(self._behind.pages()):
            self._happen()
            yield page


@pytest.fixture(params=COMBINATIONS)
def here(request: pytest.FixtureRequest) -> Iterator[Site]:
    with site(request.param, lambda: request.getfixturevalue("s3_server")) as here:
        yield here


def replaced_and_swept(here: Site) -> None:
    """The object goes, and so does its row."""
    here.push(DATA)
    here.sweeper.run()


@whoever
@pytest.mark.parametrize("moment", ["size", "open"])
def test_an_object_replaced_while_it_is_asked_for_is_not_missing(
    here: Site, allowed: dict[str, bool], moment: str
) -> None:
    digest = here.push(DATA)
    former = here.key(digest)
    # The walk saw nothing of it yet, so that its size is asked for.
    store = Interrupted(here.store, moment, lambda: replaced_and_swept(here))
    unseen = Interrupted(here.inventory, "", lambda: None)
    unseen.pages = lambda: iter([])  # type: ignore[attr-defined]  # a store that lists late
    report = here.fsck(store=store, inventory=unseen, **allowed)
    assert reasons(report) == []
    assert here.key(digest) != former
    assert here.pulls(digest) == DATA


@whoever
def test_what_is_swept_after_it_was_listed_is_not_unknown(here: Site, allowed: dict[str, bool]) -> None:
    here.push(DATA)
    here.push(DATA)
    uuid = here.send(b"begun")
    here.send(bytes(9 << 20) + b"tail")

    def end() -> None:
        here.uploads.cancel(APP, uuid, here.admin)
        here.execute("UPDATE upload SET expires_at = 0")
        here.sweeper.run()

    report = here.fsck(inventory=AfterListing(here.inventory, end), **allowed)
    assert reasons(report) == []
    assert here.states() == ["live"]


@whoever
def test_what_is_committed_after_it_was_listed_is_not_unknown(here: Site, allowed: dict[str, bool]) -> None:
    data = bytes(9 << 20) + b"tail"
    uuid = here.send(data)
    listed = AfterListing(here.inventory, lambda: here.commit(uuid, Digest.of(data)))
    report = here.fsck(inventory=listed, **allowed)
    assert reasons(report) == []
    assert here.pulls(Digest.of(data)) == data
    here.sweeper.run()
    assert here.found(**allowed) == {}


@whoever
def test_what_grows_after_it_was_listed_is_not_too_short(here: Site, allowed: dict[str, bool]) -> None:
    uuid = here.send(DATA)

    def go_on() -> None:
        here.send(DATA, uuid)
        here.commit(uuid, Digest.of(DATA * 2))

    report = here.fsck(inventory=AfterListing(here.inventory, go_on), **allowed)
    assert reasons(report) == []
    assert here.pulls(Digest.of(DATA * 2)) == DATA * 2


def test_a_blob_pushed_while_its_lost_bytes_are_read_keeps_what_was_pushed(here: Site) -> None:
    digest, stray = Digest.of(DATA), ObjectKey(here.put(DATA))
    store = Interrupted(here.store, "open", lambda: here.push(DATA))
    assert reasons(here.fsck(store=store, adopt=True)) == ["no row names its 10240 bytes"]
    assert here.key(digest) != stray
    here.sweeper.run()
    assert here.store.size(stray) is None
    assert here.pulls(digest) == DATA


def test_two_at_once_adopt_an_object_once(here: Site) -> None:
    stray = ObjectKey(here.put(DATA))
    store = Interrupted(here.store, "open", lambda: here.fsck(adopt=True))
    assert reasons(here.fsck(store=store, adopt=True)) == []
    assert here.key(Digest.of(DATA)) == stray
    assert here.states() == ["live"]


def test_a_blob_healed_while_its_object_is_read_is_no_finding(here: Site) -> None:
    digest = here.push(DATA)
    here.blobs.mark_damaged(APP, digest, here.key(digest), here.admin)
    store = Interrupted(here.store, "open", lambda: here.push(DATA))
    assert reasons(here.fsck(store=store, repair=True)) == []
    assert here.pulls(digest) == DATA


def test_a_push_that_commits_while_its_content_is_recounted_is_counted() -> None:
    """On PostgreSQL, where two may write: a count from before the row was ours would forget the other's link."""
    with site("postgresql-filesystem", lambda: pytest.fail("no store is needed")) as here, ThreadPoolExecutor() as pool:
        digest = here.push(DATA).packed
        here.uploads.begin(OTHER, here.admin)
        here.execute("UPDATE project_content SET links = 7")
        here.execute("BEGIN")
        here.execute("UPDATE project_content SET links = links + 1")
        here.execute(
            "INSERT INTO link (repository_id, digest, blob_id, lease_until)"
            " SELECT repository.id, digest, blob.id, 0 FROM repository, blob WHERE name = ? AND digest = ?",
            str(OTHER),
            digest,
        )
        repairing = pool.submit(here.fsck, repair=True)
        eventually("it waits", lambda: here.execute("SELECT 1 FROM pg_locks WHERE NOT granted"))
        here.execute("COMMIT")
        assert repairing.result().left == 0
        assert here.execute("SELECT links FROM project_content") == [(2,)]
        assert here.used() == {APP.project: len(DATA)}
        assert here.found() == {}


def test_what_the_walk_has_seen_whole_is_not_asked_for_again(here: Site) -> None:
    here.push(DATA)

    def refuse() -> None:
        raise AssertionError

    assert here.fsck(store=Interrupted(here.store, "size", refuse)).left == 0


def test_a_second_run_has_nothing_left_to_do(here: Site) -> None:
    here.put(DATA)
    here.put(b"other")
    here.push_image("1", DATA[1:])
    here.forget(Digest.of(DATA[1:]))
    first, second = here.fsck(**ALL), here.fsck(**ALL)
    assert {outcome.value for _, outcome in first.counts} == {REPAIRED}
    assert LEFT not in {outcome.value for _, outcome in second.counts}
    assert second.counts.total() == 0
