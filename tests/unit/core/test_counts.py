"""`registry.core.counts`: how many, as people read it."""

from __future__ import annotations

import pytest

from registry.core.counts import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "blob", "0 blobs"),
        (1, "blob", "1 blob"),
        (2, "blob", "2 blobs"),
        (1, "repository", "1 repository"),
        (2, "repository", "2 repositories"),
    ],
)
def test_one_of_something_is_told_in_the_singular(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
