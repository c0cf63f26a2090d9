"""What every database promises of throttles (registry/core/nouns_of_people.py, `Throttles`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

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
