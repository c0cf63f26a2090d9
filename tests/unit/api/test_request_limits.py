"""Requests of one caller: so many a minute, and no other caller notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from registry.api import request_limits
from registry.api.messages import Answer
from registry.api.request_limits import RequestLimits, TooManyRequests
from registry.auth.tokens import Tokens
from registry.core.facts import Caller
from tests.unit.api.conftest import PASSWORD, Counting, basic
from tests.unit.api.front import Front, manifest_path, opened, ordinary, scope_of

ALICE, BOB = Caller(1, "alice", credential=11), Caller(2, "bob", credential=12)
HERE = Caller(3, "(anonymous)", is_anonymous=True, address="2001:db8::1")


def made(limits: RequestLimits, caller: Caller, seconds: float, times: int = 1000) -> int:
    """How many of so many requests at this second are let in."""
    for done in range(times):
        try:
            limits.count(caller, seconds)
        except TooManyRequests:
            return done
    return times


def test_a_minutes_worth_is_had_at_once_and_then_as_it_comes() -> None:
    limits = RequestLimits(per_caller=60)
    assert [made(limits, ALICE, second) for second in (0, 0, 1, 11, 1000)] == [60, 0, 1, 10, 60]


def test_the_refusal_says_when_to_come_again() -> None:
    limits = RequestLimits(per_caller=6)
    made(limits, ALICE, 0)
    with pytest.raises(TooManyRequests) as refusal:
        limits.count(ALICE, 2.5)
    assert (refusal.value.status, refusal.value.code, refusal.value.retry_after) == (429, "TOOMANYREQUESTS", 8)
    limits.count(ALICE, 10)


def test_an_account_is_one_caller_wherever_it_is_and_by_whatever_credential() -> None:
    limits = RequestLimits(per_caller=5)
    assert made(limits, ALICE, 0, times=3) == 3
    assert made(limits, replace(ALICE, credential=99, address="192.0.2.9"), 0) == 2
    assert made(limits, BOB, 0) == 5


def test_callers_without_a_name_are_told_apart_by_where_they_come_from() -> None:
    limits = RequestLimits(anonymous=5)
    assert made(limits, HERE, 0, times=3) == 3
    assert made(limits, replace(HERE, address="2001:db8::ffff"), 0) == 2
    assert made(limits, replace(HERE, address="2001:db8:0:1::1"), 0) == 5
    assert made(limits, ALICE, 0) == 1000


def test_without_a_limit_nobody_is_counted() -> None:
    limits = RequestLimits()
    assert made(limits, ALICE, 0) == made(limits, HERE, 0) == 1000
    assert not limits.apply_to(ALICE)
    assert limits._until == {}


def test_however_many_callers_there_are_the_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limits, "MOST", 2)
    limits = RequestLimits(per_caller=1)
    for principal in (1, 2, 3):
        assert made(limits, Caller(principal, "", credential=1), 0) == 1
    assert list(limits._until) == [2, 3]


# Of the distribution API

Open = Callable[[RequestLimits], Front]


@pytest.fixture
def front(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Open]:
    """One with limits; anybody may pull."""
    with opened(passwords, secret, tokens, anonymous_pull=True) as found:

        def limited(limits: RequestLimits) -> Front:
            found.api._limits = limits
            return found

        yield limited


def test_the_fourth_request_of_three_is_429_and_touches_nothing(front: Open) -> None:
    limited = front(RequestLimits(anonymous=3))
    answers = [asyncio.run(ordinary(limited, scope_of(manifest_path("v1")))) for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 200, 429]
    assert b"TOOMANYREQUESTS" in answers[-1].body
    assert int(dict(answers[-1].headers)[b"retry-after"]) in range(1, 21)
    told = answers[-1].told
    assert isinstance(told, dict)
    assert told["principal"] == "(anonymous)"


def test_who_has_a_name_is_not_counted_as_nobody(front: Open) -> None:
    limited = front(RequestLimits(anonymous=1))
    scope = scope_of(manifest_path("v1"), authorization=basic("admin", PASSWORD))
    assert {asyncio.run(ordinary(limited, {**scope, "state": {}})).status for _ in range(5)} == {200}


def test_an_answer_that_is_to_be_counted_is_not_kept(front: Open) -> None:
    counted: Answer = front(RequestLimits(anonymous=100)).at_once(manifest_path("v1"))
    assert (counted.status, counted.holds) == (200, None)
    free = front(RequestLimits(per_caller=100)).at_once(manifest_path("v1"))
    assert free.holds is not None
