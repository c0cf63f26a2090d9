"""`registry.core.scrub_status`: what is told of passes, and of what is damaged, page after page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.core.refusals import Unfit
from registry.core.scrub_status import ScrubService, mark_of
from tests.unit.core.fsck_site import Site, site
from tests.unit.core.house import APP
from tests.unit.core.scrub_site import EVERY, Scrubbing

DATA = bytes(range(256)) * 40
BIG = bytes(3 << 20)


@pytest.fixture
def scrubbing() -> Iterator[Scrubbing]:
    with site("sqlite-filesystem", lambda: pytest.fail("no store is needed")) as here:
        yield Scrubbing(here)


@pytest.fixture
def here(scrubbing: Scrubbing) -> Site:
    return scrubbing.site


@pytest.fixture
def service(here: Site) -> ScrubService:
    return ScrubService(here.metadata, EVERY)


def test_a_pass_under_way_tells_where_it_is(scrubbing: Scrubbing, here: Site, service: ScrubService) -> None:
    digest = here.push(BIG)
    here.push(b"small")
    scrubbing.age()
    scrubbing.time.ends_after = 2
    scrubbing.run()
    status = service.status()
    assert (status.sums.objects, status.sums.verified, status.contents_verified) == (1, 0, 1)
    assert status.reading is not None
    assert (status.reading.key, status.reading.offset) == (here.key(digest), 1 << 20)
    assert status.last is not None
    assert not status.last.is_whole
    scrubbing.time.ends_after = None
    scrubbing.run()
    after = service.status()
    assert (after.sums.verified, after.sums.verified_bytes, after.reading) == (1, len(BIG), None)
    assert after.last is not None
    assert (after.last.is_whole, after.last.objects) == (True, 1)


def test_what_is_damaged_comes_page_after_page_blobs_first(here: Site, service: ScrubService) -> None:
    image = here.push_image("1", DATA)
    blobs = [here.push(DATA), here.push(DATA[1:])]
    for digest in blobs:
        here.lose(here.key(digest))
    here.execute("UPDATE content SET bytes = ? WHERE digest = ?", b"?", image.packed)
    Scrubbing(here).run(everything=True)
    found, after = list[str](), ""
    while page := service.damaged(after, 1):
        (damaged,) = page
        found.append(after := mark_of(damaged))
    assert found == [*(f"blob@{digest}" for digest in sorted(blobs, key=str)), f"manifest@{image}"]
    assert [mark_of(each) for each in service.damaged("", 2)] == found[:2]
    assert [mark_of(each) for each in service.damaged(found[1], 9)] == found[2:]
    (manifest,) = service.damaged(found[1], 9)
    assert manifest.places.tags == (f"{APP}:1",)


@pytest.mark.parametrize("mark", ["x", "blob@", "blob@sha256:x", "tag@sha256:" + "0" * 64])
def test_a_mark_that_no_page_has_is_refused(service: ScrubService, mark: str) -> None:
    with pytest.raises(Unfit):
        service.damaged(mark, 1)
