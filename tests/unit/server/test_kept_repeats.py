"""What is kept of requests and answers: found by the same bytes, while it holds, within a budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry.server import repeats
from registry.server.repeats import LARGEST_RESPONSE, Repeat, Repeats
from tests.unit.server.wire import head

ROOT = head("GET", "/")
ENTRY = 2048
"""What an entry of `kept` may cost at most, beside its response."""


def always() -> bool:
    return True


def repeat(rest: bytes = b"rest", holds: Callable[[], bool] = always) -> Repeat:
    return Repeat(b"HTTP/1.1 200 OK\r\n", rest, 0, 200, {}, holds)


def test_what_is_kept_is_found_by_the_same_bytes_only() -> None:
    kept, root = Repeats(), repeat()
    kept.keep(ROOT, root)
    assert kept.find(ROOT) is root
    assert kept.find(ROOT) is root
    assert kept.find(head("GET", "/other")) is None
    assert kept.find(ROOT + b"\r\n") is None
    assert kept.find(ROOT[:-1]) is None


def test_what_is_kept_anew_replaces_what_was() -> None:
    kept, later = Repeats(), repeat(b"later")
    kept.keep(ROOT, repeat())
    kept.keep(ROOT, later)
    assert kept.find(ROOT) is later


def test_what_does_not_hold_any_more_is_forgotten() -> None:
    asked: list[bool] = [False, True]
    kept = Repeats()
    kept.keep(ROOT, repeat(holds=asked.pop))
    assert kept.find(ROOT) is not None
    assert kept.find(ROOT) is None
    assert kept.find(ROOT) is None
    assert asked == []


def test_the_budget_bounds_what_is_kept() -> None:
    kept = Repeats(budget=10 * ENTRY)
    for number in range(1000):
        kept.keep(b"%d" % number, repeat(bytes(ENTRY)))
    found = [number for number in range(1000) if kept.find(b"%d" % number)]
    assert found == list(range(1000 - len(found), 1000))
    assert 3 <= len(found) <= 10


def test_long_requests_cost_no_more_than_short_ones() -> None:
    kept = Repeats(budget=10 * ENTRY)
    for number in range(100):
        kept.keep(b"%d" % number * 100_000, repeat(bytes(ENTRY - 1024)))
    assert sum(kept.find(b"%d" % number * 100_000) is not None for number in range(100)) == 10


def test_what_was_let_go_or_replaced_no_longer_counts() -> None:
    kept, holds = Repeats(budget=10 * ENTRY), [True]
    for _ in range(100):
        kept.keep(b"same", repeat(bytes(ENTRY)))
    for number in range(100):
        holds[0] = True
        kept.keep(b"%d" % number, repeat(bytes(ENTRY), lambda: holds[0]))
        holds[0] = False
        assert kept.find(b"%d" % number) is None
    assert kept.find(b"same") is not None


def test_the_least_recently_asked_for_leaves_first() -> None:
    size = 4 * ENTRY
    kept = Repeats(budget=3 * size + 3 * ENTRY)
    for name in (b"a", b"b", b"c"):
        kept.keep(name, repeat(bytes(size)))
    assert kept.find(b"a") is not None
    kept.keep(b"d", repeat(bytes(size)))
    assert [kept.find(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_a_response_that_is_too_large_is_not_kept() -> None:
    kept = Repeats()
    kept.keep(b"largest", repeat(bytes(LARGEST_RESPONSE)))
    kept.keep(b"larger", repeat(bytes(LARGEST_RESPONSE + 1)))
    assert kept.find(b"largest") is not None
    assert kept.find(b"larger") is None


def test_one_that_alone_exceeds_the_budget_leaves_nothing_behind() -> None:
    kept = Repeats(budget=ENTRY)
    kept.keep(b"large", repeat(bytes(2 * ENTRY)))
    assert kept.find(b"large") is None
    kept.keep(b"small", repeat())
    assert kept.find(b"small") is not None


def test_bytes_are_heard_once_before_they_were_heard() -> None:
    kept = Repeats()
    assert [kept.was_heard(ROOT) for _ in range(3)] == [False, True, True]
    assert not kept.was_heard(ROOT + b"\r\n")


def test_what_was_heard_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_MOST_HEARD", 100)
    kept = Repeats()
    for number in range(1000):
        assert not kept.was_heard(b"%d" % number)
        assert len(kept._heard) <= 100
    assert kept.was_heard(b"999")


def test_what_cannot_tell_whether_it_holds_does_not(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> bool:
        raise FileNotFoundError("the disk is away")

    kept = Repeats()
    kept.keep(ROOT, repeat(holds=fail))
    assert kept.find(ROOT) is None
    assert kept.find(ROOT) is None
    assert len(caplog.records) == 1


def test_nothing_of_a_request_is_kept_in_plain() -> None:
    secret = b"c2VjcmV0"
    kept, asked = Repeats(), head("GET", "/", "Authorization: Basic c2VjcmV0")
    assert not kept.was_heard(asked)
    kept.keep(asked, repeat())
    assert kept.find(asked) is not None
    assert secret in asked
    assert secret not in repr(vars(kept)).encode()


def test_another_process_makes_other_marks() -> None:
    one, two = Repeats(), Repeats()
    one.keep(ROOT, repeat())
    two.keep(ROOT, repeat())
    assert one._kept.keys() != two._kept.keys()
