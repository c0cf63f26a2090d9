"""`registry.core.scrub`: damage really done, on every database and every store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.oci.digest import Digest
from tests.support.s3 import s3_server
from tests.unit.core.fsck_site import COMBINATIONS, LEFT, MARKED, REPAIRED, Site, site
from tests.unit.core.house import APP, OTHER, image
from tests.unit.core.scrub_site import Scrubbing

__all__ = ["s3_server"]  # a fixture, taken in by name

DATA = bytes(range(256)) * 40
FLIPPED = b"X" + DATA[1:]


@pytest.fixture(params=COMBINATIONS)
def scrubbing(request: pytest.FixtureRequest) -> Iterator[Scrubbing]:
    with site(request.param, lambda: request.getfixturevalue("s3_server")) as here:
        yield Scrubbing(here)


@pytest.fixture
def here(scrubbing: Scrubbing) -> Site:
    return scrubbing.site


def flip(here: Site, digest: Digest) -> None:
    here.put(FLIPPED, str(here.key(digest)))


def test_what_is_whole_is_verified_and_left_alone(scrubbing: Scrubbing, here: Site) -> None:
    here.push_image("1", DATA, b"small")
    scrubbing.age()
    scrubbed = scrubbing.run()
    looked = scrubbed.report.looked
    assert (looked.objects, looked.contents, scrubbed.is_whole, scrubbed.is_clean) == (1, 3, True, True)
    assert looked.bytes > len(DATA)
    assert not scrubbing.scrubber.is_anything_due()
    assert not scrubbing.run().has_looked


def test_a_flipped_byte_is_found_by_a_second_look_at_the_medium_and_healed_by_a_push(
    scrubbing: Scrubbing, here: Site
) -> None:
    here.push(DATA)
    digest = here.push(DATA, OTHER)
    here.sweeper.run()
    key = here.key(digest)
    flip(here, digest)
    report = scrubbing.run(everything=True).report
    ((finding, outcome),) = report.found
    assert (finding.what, outcome) == ("object-bytes", MARKED)
    assert finding.places.repositories == (str(APP), str(OTHER))
    assert scrubbing.medium.forgotten == [key]
    assert scrubbing.medium.opened == [(key, 0), (key, 0)]
    assert here.serves(digest) is None
    here.sweeper.run()
    assert here.store.size(key) == len(DATA), "it is kept aside"
    assert scrubbing.events() == [("blob.damaged", str(digest))]
    here.push(DATA)
    here.sweeper.run()
    assert here.store.size(key) is None
    assert here.pulls(digest) == DATA
    assert scrubbing.found() == {}


def test_what_is_lost_or_cut_short_is_marked(scrubbing: Scrubbing, here: Site) -> None:
    lost, short = here.push(DATA), here.push(DATA[1:])
    here.lose(here.key(lost))
    here.put(DATA[1:-1], str(here.key(short)))
    assert scrubbing.found() == {"object-missing": MARKED, "object-size": MARKED}
    assert here.serves(lost) is here.serves(short) is None


def test_marked_once_it_is_told_of_and_not_marked_again(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(DATA)
    flip(here, digest)
    assert scrubbing.found() == {"object-bytes": MARKED}
    assert scrubbing.found() == {"object-bytes": LEFT}
    assert scrubbing.events() == [("blob.damaged", str(digest))]


def test_a_disk_that_came_back_serves_again(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(DATA)
    here.blobs.mark_damaged(APP, digest, here.key(digest), here.admin)
    scrubbed = scrubbing.run(everything=True)
    assert scrubbing.events()[-1] == ("blob.healed", str(digest))
    assert [outcome for _, outcome in scrubbed.report.found] == [REPAIRED]
    assert scrubbed.is_clean
    assert here.pulls(digest) == DATA


def test_a_push_during_the_reading_is_not_marked(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(DATA)
    flip(here, digest)
    scrubbing.medium.before_opening = lambda: here.push(DATA)
    assert scrubbing.found() == {}
    assert here.pulls(digest) == DATA
    assert scrubbing.events() == []


def test_an_object_that_is_replaced_and_swept_meanwhile_is_not_missing(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(DATA)

    def replace() -> None:
        here.push(DATA)
        here.sweeper.run()

    scrubbing.medium.before_opening = replace
    assert scrubbing.found() == {}
    assert here.pulls(digest) == DATA


def test_a_manifest_with_wrong_bytes_is_marked_and_healed_by_a_push(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push_image("1", b"layer")
    here.execute("UPDATE content SET bytes = ? WHERE digest = ?", b"{}?", digest.packed)
    report = scrubbing.run(everything=True).report
    ((finding, outcome),) = report.found
    assert (finding.what, outcome, finding.places.tags) == ("content-bytes", MARKED, (f"{APP}:1",))
    assert scrubbing.events() == [("manifest.damaged", str(digest))]
    assert scrubbing.found() == {"content-bytes": LEFT}
    here.push_manifest(image(b"layer"), "1")
    assert scrubbing.found() == {}


def test_a_small_blob_with_wrong_bytes_is_marked_and_healed_by_a_push(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push(b"small")
    here.execute("UPDATE content SET bytes = ?", b"SMALL")
    assert scrubbing.found() == {"content-bytes": MARKED}
    assert scrubbing.events() == [("blob.damaged", str(digest))]
    assert here.serves(digest) is None
    here.push(b"small")
    assert scrubbing.found() == {}


def test_bytes_in_the_database_that_are_right_after_all_are_served_again(scrubbing: Scrubbing, here: Site) -> None:
    digest = here.push_image("1", b"layer")
    here.execute("UPDATE content SET damaged_at = 1 WHERE digest = ?", digest.packed)
    assert scrubbing.found() == {"blob-damaged": REPAIRED}
    assert scrubbing.events() == [("manifest.healed", str(digest))]
