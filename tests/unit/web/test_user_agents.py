"""What browsers are called, by what they say of themselves."""

from __future__ import annotations

import pytest

from registry.web.user_agents import browser_name

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/140.0 Safari/537.36", "Chrome on Windows"),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/140.0 Safari/604.1", "Chrome on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 15) {_WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("python-httpx/0.28", "a browser"),
        ("", "a browser"),
        ("<script>\x1b[31m", "a browser"),
    ],
)
def test_a_browser_is_called_by_words_of_ours(said: str, name: str) -> None:
    assert browser_name(said) == name
