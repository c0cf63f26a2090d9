"""What every database promises of throttles (registry/core/nouns/people.py, `Throttles`)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import product

import pytest

from registry.core.logins import LoginLimits, LoginThrottle, TooManyLogins
from registry.core.ports import Metadata, Transaction
from registry.core.throttle import Allowance

MINUTE = timedelta(minutes=1)


def put_off(metadata: Metadata, name: str, span: timedelta = MINUTE) -> datetime:
    """At which instant that was done."""

    def work(tx: Transaction) -> datetime:
        tx.throttles.put_off(name, span)
        return tx.now

    return metadata.transact(work)


def test_what_was_put_off_is_put_off_further_and_what_never_was_from_now_on(metadata: Metadata) -> None:
    first, again = put_off(metadata, "one"), put_off(metadata, "one")
    allowance = Allowance(5, MINUTE)
    expected = allowance.used(allowance.used(None, first), again)
    assert metadata.observe(lambda tx: tx.throttles.of(["one", "two"])) == {"one": expected}


def test_what_is_past_is_put_off_from_now_on(metadata: Metadata) -> None:
    put_off(metadata, "one", timedelta(microseconds=1))
    assert metadata.observe(lambda tx: tx.throttles.of(["one"])) == {}
    now = put_off(metadata, "one")
    assert metadata.observe(lambda tx: tx.throttles.of(["one"])) == {"one": now + MINUTE}


def test_of_many_that_are_put_off_at_once_none_is_lost(metadata: Metadata) -> None:
    now = metadata.transact(lambda tx: tx.now)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: put_off(metadata, "one"), range(40)))
    (until,) = metadata.observe(lambda tx: tx.throttles.of(["one"])).values()
    assert until - now >= 40 * MINUTE


def test_three_are_found_by_one_look_and_no_others(metadata: Metadata) -> None:
    for name in ("a", "b", "c", "d"):
        put_off(metadata, name)
    assert set(metadata.observe(lambda tx: tx.throttles.of(["a", "b", "c"]))) == {"a", "b", "c"}
    assert set(metadata.observe(lambda tx: tx.throttles.of(["d"]))) == {"d"}


def test_what_is_forgotten_was_never_put_off(metadata: Metadata) -> None:
    put_off(metadata, "one")
    put_off(metadata, "two")
    metadata.transact(lambda tx: tx.throttles.forget("one"))
    assert set(metadata.observe(lambda tx: tx.throttles.of(["one", "two"]))) == {"two"}


def test_only_what_is_past_is_taken_away_and_no_more_than_asked_for(metadata: Metadata) -> None:
    put_off(metadata, "coming")
    assert not metadata.observe(lambda tx: tx.throttles.has_past())
    for name in ("a", "b", "c"):
        put_off(metadata, name, timedelta(microseconds=1))
    assert metadata.observe(lambda tx: tx.throttles.has_past())
    assert metadata.transact(lambda tx: tx.throttles.forget_past(2)) == 2
    assert metadata.transact(lambda tx: tx.throttles.forget_past(2)) == 1
    assert not metadata.observe(lambda tx: tx.throttles.has_past())
    assert set(metadata.observe(lambda tx: tx.throttles.of(["coming"]))) == {"coming"}


def test_logins_that_fail_together_from_everywhere_are_all_counted(metadata: Metadata) -> None:
    # Each shares a bucket with others, and they write them in whatever order they come.
    limits = LoginLimits(attempts=100, attempts_source=100, interval=timedelta(hours=1))
    throttle = LoginThrottle(metadata, limits)
    attempts = [limits.by_password(*each) for each in product(("alice", "bob", "carol"), ("192.0.2.1", "192.0.2.2"))]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(throttle.failed, attempts * 5))
    now = metadata.transact(lambda tx: tx.now)
    for attempt in attempts:
        names = [name for name, _ in attempt.buckets]
        kept = metadata.observe(partial(_kept, names))
        counted = [round((kept[name] - now) / allowance.interval) for name, allowance in attempt.buckets]
        assert counted == [5, 10, 15]


def test_what_one_worker_counts_another_one_refuses(metadata: Metadata) -> None:
    limits = LoginLimits(attempts=4, attempts_source=100, interval=timedelta(hours=1))
    workers, attempt = [LoginThrottle(metadata, limits) for _ in range(2)], limits.by_password("alice", "192.0.2.1")
    for turn in range(4):
        workers[turn % 2].admit(attempt)
        workers[turn % 2].failed(attempt)
    for worker in workers:
        with pytest.raises(TooManyLogins):
            worker.admit(attempt)
    workers[0].succeeded(attempt)
    assert not workers[1].admit(attempt)


def _kept(names: list[str], tx: Transaction) -> Mapping[str, datetime]:
    return tx.throttles.of(names)
