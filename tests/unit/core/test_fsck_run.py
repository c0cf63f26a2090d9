"""`registry.core.fsck_run`: every kind of damage, really done, on every database and every store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from registry.core.facts import ObjectKey
from registry.core.sweep import COLLECTOR_PAUSED
from registry.oci.digest import Digest
from tests.support.s3 import s3_server
from tests.unit.core.fsck_site import COMBINATIONS, LEFT, MARKED, REPAIRED, Site, reasons, site, summed
from tests.unit.core.house import APP, OTHER, image, index

__all__ = ["s3_server"]  # a fixture, taken in by name

DATA = bytes(range(256)) * 40
MORE = DATA[::-1]
HOUR = timedelta(hours=1)


@pytest.fixture(params=COMBINATIONS)
def here(request: pytest.FixtureRequest) -> Iterator[Site]:
    with site(request.param, lambda: request.getfixturevalue("s3_server")) as here:
        yield here


# Nothing wrong


def test_a_registry_in_good_order_gives_no_reason_to_complain(here: Site) -> None:
    here.push_image("1", DATA, MORE, b"small")
    here.push_manifest(index(image(DATA, MORE, b"small")), "all")
    here.push(DATA, OTHER)
    here.push(DATA)
    here.send(bytes(6 << 20) + b"tail")
    here.uploads.begin(APP, here.admin)
    report = here.fsck(read=True, repair=True, adopt=True, delete=True)
    assert (reasons(report), report.left) == ([], 0)
    assert report.looked.objects == len(here.states()) == 5
    assert report.looked.bytes >= len(DATA) + len(MORE)
    assert here.watching.steps > 0


def test_an_empty_registry_gives_none_either(here: Site) -> None:
    assert here.found(read=True, repair=True) == {}


# Objects that are live


def test_a_lost_object_is_told_and_marked_and_healed_by_a_push(here: Site) -> None:
    digest = here.push(DATA)
    here.lose(here.key(digest))
    assert here.found() == {"object-missing": LEFT}
    assert here.serves(digest) is not None
    assert here.found(repair=True) == {"object-missing": MARKED}
    assert here.serves(digest) is None
    assert here.found(repair=True) == {"blob-damaged": LEFT}
    here.push(DATA)
    assert here.found(repair=True) == {}
    assert here.pulls(digest) == DATA


def test_an_object_of_another_size_is_told_and_marked(here: Site) -> None:
    digest = here.push(DATA)
    here.put(DATA[:-1], str(here.key(digest)))
    assert reasons(here.fsck()) == [f"{here.key(digest)} has {len(DATA) - 1} bytes instead of {len(DATA)}"]
    assert here.found(repair=True) == {"object-size": MARKED}
    assert here.serves(digest) is None


def test_a_flipped_byte_is_found_by_reading_and_not_without(here: Site) -> None:
    digest = here.push(DATA)
    flipped = b"X" + DATA[1:]
    here.put(flipped, str(here.key(digest)))
    assert here.found() == {}
    assert reasons(here.fsck(read=True)) == [f"the bytes of {here.key(digest)} are {Digest.of(flipped)}"]
    assert here.found(read=True, repair=True) == {"object-bytes": MARKED}
    assert here.serves(digest) is None


def test_a_damaged_blob_is_told_with_who_serves_it_and_the_tags_it_hits(here: Site) -> None:
    here.push_image("1", DATA)
    here.push_manifest(index(image(DATA)), "all")
    here.push(DATA, OTHER)
    here.lose(here.key(Digest.of(DATA)))
    ((finding, _),) = here.fsck().found
    assert finding.places.repositories == (str(APP), str(OTHER))
    assert finding.places.tags == (f"{APP}:1", f"{APP}:all")
    assert not finding.places.more


def test_of_many_places_some_are_told(here: Site) -> None:
    for number in range(9):
        here.push_image(str(number), DATA)
    here.lose(here.key(Digest.of(DATA)))
    ((finding, _),) = here.fsck().found
    assert len(finding.places.tags) == 5
    assert finding.places.more


def test_a_damaged_blob_is_served_again_when_its_object_is_whole(here: Site) -> None:
    digest = here.push(DATA)
    here.blobs.mark_damaged(APP, digest, here.key(digest), here.admin)
    assert here.found() == {"blob-damaged": LEFT}
    assert here.serves(digest) is None
    assert here.found(repair=True) == {"blob-damaged": REPAIRED}
    assert here.pulls(digest) == DATA
    assert here.found() == {}


def test_a_damaged_blob_with_other_bytes_stays_damaged(here: Site) -> None:
    digest = here.push(DATA)
    here.put(b"X" + DATA[1:], str(here.key(digest)))
    here.blobs.mark_damaged(APP, digest, here.key(digest), here.admin)
    assert here.found(repair=True) == {"blob-damaged": LEFT}
    assert here.serves(digest) is None


# Rows that contradict each other


def test_an_object_that_nobody_names_is_doomed(here: Site) -> None:
    for state in ("live", "receiving"):
        key = here.put(DATA)
        here.execute("INSERT INTO object (key, state, changed_at) VALUES (?, ?, 0)", key, state)
    assert here.found() == {"object-unnamed": f"2 {LEFT}"}
    assert here.found(repair=True) == {"object-unnamed": f"2 {REPAIRED}"}
    assert here.states() == ["doomed", "doomed"]
    assert here.sweeper.run().objects == 2
    assert [page for page in here.inventory.pages() if page] == []


@pytest.mark.parametrize("state", ["doomed", "receiving"])
def test_a_blob_whose_object_is_not_live_has_it_live_again(here: Site, state: str) -> None:
    digest = here.push(DATA)
    here.execute("UPDATE object SET state = ?", state)
    assert here.found() == {"blob-not-live": LEFT}
    assert here.found(repair=True) == {"blob-not-live": REPAIRED}
    assert here.states() == ["live"]
    here.sweeper.run()
    assert here.pulls(digest) == DATA


def test_a_blob_whose_object_was_swept_is_marked_at_once(here: Site) -> None:
    digest = here.push(DATA)
    here.execute("UPDATE object SET state = 'doomed'")
    here.lose(here.key(digest))
    assert here.found(repair=True) == {"blob-not-live": REPAIRED, "object-missing": MARKED}
    assert here.serves(digest) is None


def test_a_session_that_would_write_to_a_blob_is_ended(here: Site) -> None:
    digest = here.push(DATA)
    here.send(b"begun")
    here.execute("UPDATE upload SET object_id = (SELECT object_id FROM blob) WHERE object_id IS NOT NULL")
    assert here.found() == {"session-astray": LEFT, "object-unnamed": LEFT}
    assert here.found(repair=True) == {"session-astray": REPAIRED, "object-unnamed": REPAIRED}
    assert here.pulls(digest) == DATA
    assert here.found(repair=True) == {}


# What lies in SQL


def test_wrong_bytes_of_a_small_blob_are_marked_and_healed_by_a_push(here: Site) -> None:
    digest = here.push(b"small")
    here.execute("UPDATE content SET bytes = ?", b"SMALL")
    assert here.found() == {"content-bytes": LEFT}
    assert here.found(repair=True) == {"content-bytes": MARKED}
    assert here.serves(digest) is None
    assert here.found(repair=True) == {"content-bytes": LEFT}
    here.push(b"small")
    assert here.found() == {}
    assert here.pulls(digest) == b"small"


def test_a_small_blob_that_is_whole_again_is_served_again(here: Site) -> None:
    digest = here.push(b"small")
    here.execute("UPDATE blob SET damaged_at = 1")
    assert here.found() == {"blob-damaged": LEFT}
    assert here.found(repair=True) == {"blob-damaged": REPAIRED}
    assert here.pulls(digest) == b"small"


def test_a_manifest_with_other_bytes_is_told_with_its_tags(here: Site) -> None:
    digest = here.push_image("1", b"layer")
    here.execute("UPDATE content SET bytes = ? WHERE digest = ?", b"{}?", digest.packed)
    report = here.fsck(repair=True)
    assert [(finding.name, finding.places.tags) for finding, _ in report.found] == [(str(digest), (f"{APP}:1",))]
    assert summed(report) == {"content-bytes": MARKED}
    assert here.found(repair=True) == {"content-bytes": LEFT}


def test_a_manifest_that_is_whole_again_is_served_again(here: Site) -> None:
    digest = here.push_image("1", b"layer")
    here.execute("UPDATE content SET damaged_at = 1 WHERE digest = ?", digest.packed)
    assert here.found() == {"blob-damaged": LEFT}
    assert here.found(repair=True) == {"blob-damaged": REPAIRED}
    assert here.found() == {}


def test_a_manifest_without_a_part_is_told(here: Site) -> None:
    here.push_image("1", DATA, b"small")
    here.forget(Digest.of(DATA))
    report = here.fsck(repair=True)
    assert [reason for reason in reasons(report) if "needs" in reason] == [
        f"it needs {Digest.of(DATA)}, which is not there; push it again"
    ]
    assert report.left == 2  # the unknown object too
    here.push(DATA)
    assert here.found(delete=True) == {"unknown-object": REPAIRED}
    assert here.found() == {}


# What nobody names


def test_an_unknown_object_is_told_when_it_is_old_enough(here: Site) -> None:
    key = here.put(DATA)
    assert here.found(grace=HOUR) == {}
    assert here.found() == {"unknown-object": LEFT}
    assert here.store.size(ObjectKey(key)) == len(DATA)


def test_an_unknown_object_is_deleted_by_the_sweeper(here: Site) -> None:
    key = ObjectKey(here.put(DATA))
    assert here.found(delete=True) == {"unknown-object": REPAIRED}
    assert (here.store.size(key), here.states()) == (len(DATA), ["doomed"])
    assert here.found() == {}
    here.sweeper.run()
    assert (here.store.size(key), here.states()) == (None, [])


def test_a_blob_that_lost_its_rows_is_adopted_and_pulls_again_at_once(here: Site) -> None:
    here.push_image("1", DATA)
    digest = Digest.of(DATA)
    key = here.forget(digest)
    assert here.pulls(digest) is None
    assert here.found(adopt=True, repair=True) == {"unknown-object": REPAIRED, "links": REPAIRED}
    assert (here.key(digest), here.pulls(digest)) == (key, DATA)
    assert here.found(read=True) == {}


def test_an_adopted_blob_is_there_for_who_pushes_it(here: Site) -> None:
    digest = Digest.of(DATA)
    here.put(DATA)
    assert here.found(adopt=True) == {"unknown-object": REPAIRED}
    assert here.serves(digest) is None
    here.push(DATA)
    assert here.pulls(digest) == DATA


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_lost_object_is_replaced_by_an_unknown_one_of_the_same_bytes(here: Site, is_marked: bool) -> None:
    digest = here.push(DATA)
    here.lose(here.key(digest))
    if is_marked:
        here.fsck(repair=True)
    key = here.put(DATA)
    assert here.found(adopt=True) == {"unknown-object": REPAIRED}
    assert (str(here.key(digest)), here.pulls(digest)) == (key, DATA)
    assert here.found(read=True) == {}


def test_an_unknown_object_of_bytes_that_we_have_is_one_too_many(here: Site) -> None:
    digest, small = here.push(DATA), here.push(b"small")
    key = here.key(digest)
    for each in (DATA, b"small"):
        here.put(each)
    assert here.found(adopt=True) == {"unknown-object": f"2 {REPAIRED}"}
    here.sweeper.run()
    assert (here.key(digest), here.states()) == (key, ["live"])
    assert (here.pulls(digest), here.pulls(small)) == (DATA, b"small")


def test_an_unknown_object_is_not_given_up_for_one_of_other_bytes(here: Site) -> None:
    """Nobody knows yet that the blob's own are wrong: they are as many."""
    digest = here.push(DATA)
    here.put(b"X" + DATA[1:], str(here.key(digest)))
    key = here.put(DATA)
    assert here.found(adopt=True) == {"unknown-object": REPAIRED}
    here.sweeper.run()
    assert (str(here.key(digest)), here.pulls(digest)) == (key, DATA)
    assert here.found(read=True) == {}


def test_what_is_foreign_is_told_and_left_alone(here: Site) -> None:
    name = here.put(b"", "blobs/ab/notes.txt")
    report = here.fsck(repair=True, adopt=True, delete=True)
    assert [(finding.what.value, finding.name) for finding, _ in report.found] == [("foreign", name)]
    assert report.left == 1


# What projects are charged


def test_a_counter_that_is_wrong_is_set(here: Site) -> None:
    here.push(DATA)
    here.execute("UPDATE project SET used = 7")
    assert here.found() == {"used": LEFT}
    assert here.found(repair=True) == {"used": REPAIRED}
    assert here.used() == {APP.project: len(DATA)}


def test_links_that_are_counted_wrongly_are_counted_again(here: Site) -> None:
    here.push_image("1", DATA)
    here.push(DATA, OTHER)
    before = here.used(), sorted(here.execute("SELECT kind, digest, links FROM project_content"))
    here.execute("UPDATE project_content SET links = 9")
    assert here.found() == {"links": f"3 {LEFT}"}
    assert here.found(repair=True) == {"links": f"3 {REPAIRED}"}
    assert (here.used(), sorted(here.execute("SELECT kind, digest, links FROM project_content"))) == before


def test_what_is_charged_and_not_held_is_given_back_and_what_is_held_is_charged(here: Site) -> None:
    here.push_image("1", DATA)
    here.execute(
        "UPDATE project_content SET digest = ? WHERE digest = ?", Digest.of(b"?").packed, Digest.of(DATA).packed
    )
    used = here.used()
    assert here.found(repair=True) == {"links": f"2 {REPAIRED}"}
    assert here.found() == {}
    assert here.used() == used


def test_a_reference_alone_is_no_right_to_a_blob(here: Site) -> None:
    """Without a charge nobody says that this repository ever served it."""
    here.push_image("1", DATA)
    digest = Digest.of(DATA)
    here.forget(digest)
    here.execute("DELETE FROM project_content WHERE digest = ?", digest.packed)
    here.fsck(adopt=True, repair=True)
    assert here.serves(digest) is None
    assert here.found() == {"manifest-parts": LEFT}


# The end


def test_the_collector_goes_on_when_nothing_is_left(here: Site) -> None:
    digest = here.push(DATA)
    here.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "restored"))
    here.lose(here.key(digest))
    assert not here.fsck(repair=True).is_released
    here.push(DATA)
    assert here.metadata.observe(lambda tx: tx.settings.find(COLLECTOR_PAUSED)) == "restored"
    assert here.fsck().is_released
    assert here.metadata.observe(lambda tx: tx.settings.find(COLLECTOR_PAUSED)) is None
    assert not here.fsck().is_released


def test_the_collector_goes_on_with_what_is_left_when_that_is_decided(here: Site) -> None:
    """The bytes are nowhere any more, and nobody will push them again."""
    digest = here.push(DATA)
    here.metadata.transact(lambda tx: tx.settings.put(COLLECTOR_PAUSED, "restored"))
    here.lose(here.key(digest))
    report = here.fsck(repair=True)
    assert (report.is_released, report.paused) == (False, "restored")
    report = here.fsck(resume=True)
    assert (report.left, report.is_released, report.paused) == (1, True, "")
    assert here.metadata.observe(lambda tx: tx.settings.find(COLLECTOR_PAUSED)) is None
