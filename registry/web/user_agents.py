"""What a browser is called in a list of sessions, out of what it says of itself."""

from __future__ import annotations

from typing import Final

# In this order: each says the names of those after it as well.
_BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser_name(user_agent: str) -> str:
    """Such as `Firefox on Linux`; only words of ours, for anybody may say anything."""
    browser = next((name for word, name in _BROWSERS.items() if word in user_agent), "a browser")
    system = next((name for word, name in _SYSTEMS.items() if word in user_agent), None)
    return f"{browser} on {system}" if system else browser
