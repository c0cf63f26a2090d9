"""`registry.core.scrub`: in which order, how fast, how often, and what a pass that ends early leaves to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.core import scrub, scrub_facts, scrub_ledger
from registry.core.facts import ObjectKey
from registry.core.ports import Metadata, Unreadable
from registry.core.scrub import LeasedScrubber
from registry.core.scrub_facts import LAST
from registry.core.tenure import Tenure, TenureLost
from registry.core.watching import Unwatched
from registry.oci.errors import Unavailable
from registry.storage.hashing import HashlibHashes
from tests.unit.core.conftest import Clock
from tests.unit.core.fsck_site import LEFT, MARKED, Site, Watching, site
from tests.unit.core.scrub_site import EVERY, RATE, Scrubbing

DATA = bytes(range(256)) * 40
MIB = 1 << 20
BIG = bytes(5 * MIB) + b"and a little"
DAY = timedelta(days=1)


@pytest.fixture
def scrubbing() -> Iterator[Scrubbing]:
    with site("sqlite-filesystem", lambda: pytest.fail("no store is needed")) as here:
        yield Scrubbing(here)


@pytest.fixture
def here(scrubbing: Scrubbing) -> Site:
    return scrubbing.site


def several(here: Site, count: int) -> list[ObjectKey]:
    """Objects in the order of their ages, the oldest first, all of them due."""
    digests = [here.push(DATA + bytes([number])) for number in range(count)]
    for number, digest in enumerate(digests):
        micros = (EVERY + (count - number) * DAY) // timedelta(microseconds=1)
        here.execute("UPDATE blob SET verified_at = verified_at - ? WHERE digest = ?", micros, digest.packed)
    return [here.key(digest) for digest in digests]


def opened(scrubbing: Scrubbing) -> list[ObjectKey]:
    return [key for key, _ in scrubbing.medium.opened]


# Which, and when


def test_those_come_first_that_were_verified_the_longest_ago(
    scrubbing: Scrubbing, here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "_ROWS", 2)
    keys = several(here, 5)
    scrubbing.run()
    assert opened(scrubbing) == keys


def test_what_was_pushed_again_is_not_due(scrubbing: Scrubbing, here: Site) -> None:
    keys = several(here, 3)
    here.push(DATA + bytes([1]))
    scrubbing.run()
    assert opened(scrubbing) == [keys[0], keys[2]]


def test_the_same_is_not_read_again_before_its_time(scrubbing: Scrubbing, here: Site, clock: Clock) -> None:
    several(here, 2)
    scrubbing.run()
    clock.turn(EVERY - timedelta(seconds=1))
    assert not scrubbing.run().has_looked
    clock.turn(timedelta(seconds=1))
    assert scrubbing.run().report.looked.objects == 2
    assert len(opened(scrubbing)) == 4


def test_everything_is_read_when_it_is_asked_for(scrubbing: Scrubbing, here: Site) -> None:
    here.push(DATA)
    here.push(b"small")
    scrubbing.run()
    looked = scrubbing.run(everything=True).report.looked
    assert (looked.objects, looked.contents) == (1, 1)


def test_what_is_marked_is_looked_at_once_a_day(scrubbing: Scrubbing, here: Site, clock: Clock) -> None:
    digest = here.push(DATA)
    here.put(b"X" + DATA[1:], str(here.key(digest)))
    scrubbing.run(everything=True)
    clock.turn(DAY - timedelta(seconds=1))
    assert not scrubbing.run().has_looked
    clock.turn(timedelta(seconds=1))
    assert scrubbing.run().report.left == 1
    here.put(DATA, str(here.key(digest)))
    clock.turn(DAY)
    assert scrubbing.run().is_clean
    assert here.pulls(digest) == DATA


def test_what_lies_in_the_database_is_walked_through_page_by_page(
    scrubbing: Scrubbing, here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub, "_CONTENTS", 2)
    monkeypatch.setattr(scrub_ledger, "_EVERY", 0.0)
    for number in range(5):
        here.push(bytes([number]))
    scrubbing.time.ends_after = 2
    first = scrubbing.run()
    assert (first.report.looked.contents, first.is_whole) == (4, False)
    scrubbing.time.ends_after = None
    assert scrubbing.run().report.looked.contents == 1
    assert scrubbing.run().report.looked.contents == 0


# How fast


def test_the_rate_is_kept_over_small_objects_and_large_ones(scrubbing: Scrubbing, here: Site) -> None:
    several(here, 20)
    here.push(BIG)
    began = scrubbing.time.at
    looked = scrubbing.run(everything=True).report.looked
    assert looked.bytes / RATE == pytest.approx(scrubbing.time.at - began)


def test_the_bar_comes_to_its_end(scrubbing: Scrubbing, here: Site) -> None:
    several(here, 3)
    watching = Watching()
    scrubbing.scrubber.run(watching)
    assert watching.steps == 3 * (len(DATA) + 1)


def test_a_commit_stands_for_many_objects(scrubbing: Scrubbing, here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    several(here, 30)
    commits: list[object] = []
    transact = here.metadata.transact

    def counted(work: Any) -> Any:
        commits.append(work)
        return transact(work)

    monkeypatch.setattr(here.metadata, "transact", counted)
    scrubbing.run()
    assert len(commits) <= 2
    assert not scrubbing.scrubber.is_anything_due()


# What ends early


def test_a_large_object_is_gone_on_with_where_a_stop_came(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(BIG)
    scrubbing.age()
    scrubbing.time.ends_after = 3
    assert not scrubbing.run().is_whole
    scrubbing.time.ends_after = None
    assert scrubbing.run().is_clean
    key = here.key(digest)
    assert scrubbing.medium.opened == [(key, 0), (key, 3 * MIB)]
    assert not scrubbing.scrubber.is_anything_due()
    assert here.execute("SELECT name FROM setting WHERE name = 'scrub_progress'") == []


class Killed(BaseException):
    """Nothing is done any more."""


def kill_after(rests: int, scrubbing: Scrubbing, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:

        def rest(_: float) -> bool:
            scrubbing.time.at += 6.0
            scrubbing.time.rests += 1
            if scrubbing.time.rests == rests:
                raise Killed
            return False

        patch.setattr(scrubbing.time, "rest", rest)
        with pytest.raises(Killed):
            scrubbing.run()


def test_a_large_object_is_gone_on_with_after_a_kill_where_it_was_seconds_before(
    scrubbing: Scrubbing, here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = here.push(BIG)
    scrubbing.age()
    kill_after(4, scrubbing, monkeypatch)
    assert scrubbing.run().is_clean
    key = here.key(digest)
    assert scrubbing.medium.opened == [(key, 0), (key, 3 * MIB)]


def test_what_is_wrong_before_the_stop_is_wrong_after_it(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(BIG)
    scrubbing.age()
    here.put(b"X" + BIG[1:], str(here.key(digest)))
    scrubbing.time.ends_after = 8
    assert scrubbing.run().report.found == []
    scrubbing.time.ends_after = None
    scrubbed = scrubbing.run()
    assert [outcome for _, outcome in scrubbed.report.found] == [MARKED]
    assert [start // MIB for _, start in scrubbing.medium.opened] == [0, 0, 2], "the second look is gone on with"


def test_without_a_hash_that_can_be_saved_it_begins_anew(scrubbing: Scrubbing, here: Site) -> None:
    here.push(BIG)
    scrubbing.age()
    scrubbing.time.ends_after = 3
    unsaved = replace(scrubbing.scrubber, hashes=HashlibHashes())
    assert not unsaved.run(Unwatched()).is_whole
    scrubbing.time.ends_after = None
    assert unsaved.run(Unwatched()).is_clean
    assert [start for _, start in scrubbing.medium.opened] == [0, 0]


# What cannot be read


def test_what_is_unreadable_for_a_moment_is_read_later(scrubbing: Scrubbing, here: Site) -> None:
    (key,) = several(here, 1)
    scrubbing.medium.failing = Unreadable(str(key))
    for _ in range(5):
        scrubbed = scrubbing.run()
        assert (scrubbed.unread, scrubbed.report.found, scrubbed.is_clean) == (1, [], False)
    scrubbing.medium.failing = None
    assert scrubbing.run().is_clean
    assert here.execute("SELECT value FROM setting WHERE name = 'scrub_doubts'") == []


def test_what_stays_unreadable_is_marked(scrubbing: Scrubbing, here: Site, clock: Clock) -> None:
    (key,) = several(here, 1)
    scrubbing.medium.failing = Unreadable(str(key))
    scrubbing.run()
    clock.turn(timedelta(minutes=10))
    assert scrubbing.run().unread == 1
    report = scrubbing.run().report
    assert [(finding.what, outcome) for finding, outcome in report.found] == [("object-unreadable", MARKED)]
    clock.turn(DAY)
    assert [outcome for _, outcome in scrubbing.run().report.found] == [LEFT]
    scrubbing.medium.failing = None
    clock.turn(DAY)
    assert scrubbing.run().is_clean


def test_what_was_unreadable_and_pushed_anew_takes_no_room_from_later_doubts(
    scrubbing: Scrubbing, here: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrub_facts, "_MOST_DOUBTS", 1)
    (key,) = several(here, 1)
    scrubbing.medium.failing = Unreadable(str(key))
    scrubbing.run()
    (another,) = several(here, 1)
    assert another != key
    for _ in range(3):
        scrubbing.run()
        clock.turn(timedelta(minutes=10))
    report = scrubbing.run().report
    assert [(finding.what, outcome) for finding, outcome in report.found] == [("object-unreadable", MARKED)]
    assert here.execute("SELECT value FROM setting WHERE name = 'scrub_doubts'") == []


@pytest.mark.parametrize("failure", [Unavailable(), PermissionError()])
def test_a_store_that_is_away_damages_nothing_and_is_not_asked_for_long(
    scrubbing: Scrubbing, here: Site, failure: Exception
) -> None:
    several(here, 20)
    scrubbing.medium.failing = failure
    for _ in range(5):
        with pytest.raises(type(failure)):
            scrubbing.run()
    assert len(scrubbing.medium.opened) == 25
    scrubbing.medium.failing = None
    assert scrubbing.run().is_clean


# One process at a time


def leased(scrubbing: Scrubbing, holder: str) -> LeasedScrubber:
    return LeasedScrubber(scrubbing.scrubber, Tenure(scrubbing.site.metadata, "scrub", holder))


def test_one_of_two_processes_reads_and_the_other_leaves_it_to_it(scrubbing: Scrubbing, here: Site) -> None:
    several(here, 1)
    others = list[object]()
    scrubbing.medium.before_opening = lambda: others.append(leased(scrubbing, "another").run())
    scrubbed = leased(scrubbing, "one").run()
    assert scrubbed is not None
    assert scrubbed.is_clean
    assert others == [None]
    assert leased(scrubbing, "another").run() is None, "nothing is due"


def test_whoever_lost_the_lease_marks_nothing(scrubbing: Scrubbing, here: Site, clock: Clock) -> None:
    (key,) = several(here, 1)
    here.put(b"X", str(key))

    def take_over() -> None:
        clock.turn(timedelta(hours=1))
        assert Tenure(here.metadata, "scrub", "another").take() is not None

    scrubbing.medium.before_opening = take_over
    with pytest.raises(TenureLost):
        leased(scrubbing, "one").run()
    assert here.execute("SELECT damaged_at FROM blob") == [(None,)]


def test_a_pass_writes_down_what_it_came_to(scrubbing: Scrubbing, here: Site) -> None:
    several(here, 2)
    scrubbing.run()
    before = _last(here.metadata)
    assert '"objects": 2' in before
    scrubbing.run()
    assert _last(here.metadata) == before, "a pass without anything to do is none"


def _last(metadata: Metadata) -> str:
    return metadata.observe(lambda tx: tx.settings.find(LAST)) or ""
