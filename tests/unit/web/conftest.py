"""A registry for all tests of its pages, and a browser for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.metadata.databases import quick_folder
from tests.unit.web.site import Browser, Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with quick_folder() as folder, Site.opened(folder / "data") as site:
        yield site


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()
