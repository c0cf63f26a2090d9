"""Conditional requests: entity tags as they come, compared as HTTP says."""

from __future__ import annotations

import pytest

from registry.api.conditions import condition_of, is_unchanged, not_modified, range_applies
from registry.core.manifests import Condition
from registry.oci.digest import Digest
from tests.unit.api.conftest import request

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        (f'"{ONE}"', True),
        (f'W/"{ONE}"', True),
        (f' "{TWO}" , "{ONE}" ', True),
        ("*", True),
        (" * ", True),
        (f'"{TWO}"', False),
        ("", False),
        ('""', False),
        (f'"{str(ONE)[:-1]}"', False),
    ],
)
def test_what_the_client_has_is_not_sent_again(header: str, answer: bool) -> None:
    assert is_unchanged(request(if_none_match=header), ONE) is answer


def test_without_a_header_nothing_is_known_of_the_client() -> None:
    assert not is_unchanged(request(), ONE)
    assert range_applies(request(), ONE)
    assert condition_of(request()) == Condition(None, None)


@pytest.mark.parametrize(
    ("header", "answer"),
    [(f'"{ONE}"', True), (f'W/"{ONE}"', False), (f'"{TWO}"', False), (str(ONE), False), ("*", False)],
)
def test_a_part_is_worth_something_only_of_the_very_same_content(header: str, answer: bool) -> None:
    assert range_applies(request(if_range=header), ONE) is answer


@pytest.mark.parametrize(
    ("header", "holds_for_one", "holds_for_none"),
    [
        (f'"{ONE}"', True, False),
        (f'"{TWO}", "{ONE}"', True, False),
        ("*", True, False),
        # Compared strongly: a weak tag is never the same.
        (f'W/"{ONE}"', False, False),
        (f'"{TWO}"', False, False),
        ("", False, False),
    ],
)
def test_if_match(header: str, holds_for_one: bool, holds_for_none: bool) -> None:
    condition = condition_of(request(if_match=header))
    assert (condition.holds(ONE), condition.holds(None)) == (holds_for_one, holds_for_none)


@pytest.mark.parametrize(
    ("header", "holds_for_one"),
    [("*", False), (f'"{ONE}"', False), (f'W/"{ONE}"', False), (f'"{TWO}"', True), ("", True)],
)
def test_if_none_match(header: str, holds_for_one: bool) -> None:
    condition = condition_of(request(if_none_match=header))
    assert (condition.holds(ONE), condition.holds(None)) == (holds_for_one, True)


def test_not_modified_tells_a_cache_which_copy_is_good() -> None:
    answer = not_modified(ONE)
    assert (answer.status, answer.body) == (304, b"")
    assert dict(answer.headers)[b"etag"] == f'"{ONE}"'.encode()
