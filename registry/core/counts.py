"""Counts in words, as people read them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 blob`, `2 blobs`, `0 repositories`: of a regular noun in the singular."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
