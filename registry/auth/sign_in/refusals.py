"""Why nobody was signed in: one error for the person, one for the operator."""

from __future__ import annotations

from typing import Final

PUBLIC: Final = "You could not be signed in. Please try again from the beginning."


class SignInRefused(Exception):
    """Not let in; as text it is one sentence for the person, and `reason` is for the log."""

    def __init__(self, reason: str, public: str = PUBLIC) -> None:
        """`public` differs only for people who have proved who they are: others would learn from it."""
        super().__init__(public)
        self.reason = reason


class SourceUnavailable(Exception):
    """A source that cannot be asked now: down, in trouble, or not set up as our settings say."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason
