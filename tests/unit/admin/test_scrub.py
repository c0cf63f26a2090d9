"""How scrubbing stands, and what is damaged, by the page."""

from __future__ import annotations

import hashlib

import pytest

from tests.support.client import RegistryClient
from tests.support.images import tiny_image
from tests.unit.admin.site import Person, Site, new_project


def test_how_much_is_verified_is_told(anywhere: Site) -> None:
    repository = f"{new_project()}/app"
    image = tiny_image(repository, layers=1, layer_size=9000)
    with anywhere.client((anywhere.admin.name, anywhere.admin.password)) as http:
        RegistryClient(http).push_image(repository, image, "1")
    told = anywhere.admin.get("/scrub").json()
    assert told["every"] == 30 * 24 * 3600
    assert told["objects"] == told["verified"] >= 1
    assert told["verified_bytes"] >= 9000
    assert told["contents"] == told["contents_verified"] >= 2
    assert (told["damaged_blobs"], told["damaged_manifests"], told["reading"]) == (0, 0, None)


def test_it_is_for_administrators(alice: Person) -> None:
    assert alice.get("/scrub").status_code == alice.get("/scrub/damaged").status_code == 403


@pytest.mark.parametrize("after", ["x", "blob", "blob@x", "cat@sha256:" + hashlib.sha256().hexdigest()])
def test_what_no_page_ends_with_is_refused(admin: Person, after: str) -> None:
    assert admin.get("/scrub/damaged", after=after).status_code == 422


def test_nothing_is_damaged_in_a_registry_in_good_order(anywhere: Site) -> None:
    assert anywhere.admin.get("/scrub/damaged").json() == {"items": [], "next": None}
