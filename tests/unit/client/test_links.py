"""`client.links`: where a listing goes on."""

from __future__ import annotations

import pytest

from registry.client.errors import Malformed
from registry.client.links import next_page
from registry.client.origin import Origin

HOME = Origin.of("https://registry.test:5000")
NEXT = "/v2/_catalog?last=x&n=2"


@pytest.mark.parametrize(
    "header",
    [
        f'<{NEXT}>; rel="next"',
        f"<{NEXT}>;rel=next",
        f'<{NEXT}>; title="a"; REL="prev next"',
        f'</v2/_catalog>; rel="first", <{NEXT}>; rel="next"',
        '<_catalog?last=x&n=2>; rel="next"',
        '<?last=x&n=2>; rel="next"',
        f'<https://registry.test:5000{NEXT}>; rel="next"',
        # As proxies make the inner scheme and port visible.
        f'<http://registry.test:8080{NEXT}>; rel="next"',
    ],
)
def test_the_next_page_is_on_the_same_registry(header: str) -> None:
    assert next_page([header], "/v2/_catalog?n=2", HOME) == NEXT


@pytest.mark.parametrize("headers", [[], [""], ['</v2/_catalog>; rel="first"'], ['</v2/x>; rel="nextish"'], ["/v2/x"]])
def test_no_link_is_the_end(headers: list[str]) -> None:
    assert next_page(headers, "/v2/_catalog", HOME) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/v2/_catalog",
        "//evil.test/v2/_catalog",
        "/etc/v2/",
        "ftp://registry.test/v2/",
        "https://[/v2/",
    ],
)
def test_a_link_to_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Malformed, match="goes on at"):
        next_page([f'<{url}>; rel="next"'], "/v2/_catalog", HOME)
