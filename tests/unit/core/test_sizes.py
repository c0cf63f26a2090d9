"""`registry.core.sizes`: how large, as people read it."""

from __future__ import annotations

import pytest

from registry.core.sizes import in_words


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_610_612_736, "1.5 GiB"),
        (2**60, "1048576.0 TiB"),
    ],
)
def test_sizes_are_said_as_people_say_them(size: int, said: str) -> None:
    assert in_words(size) == said
