"""What has not moved for too long expires, once per patience, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from registry.server.patience import Wait, Waiting, Watch, watch_of

MINUTE = timedelta(minutes=1)


class Clock:
    """What of an event loop is asked here; its time passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, act: Callable[[object], object], argument: object) -> object:
        self.timers.append((self.now + delay, lambda: act(argument)))
        return object()

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            due = [timer for timer in self.timers if timer[0] <= self.now]
            self.timers = [timer for timer in self.timers if timer not in due]
            for _, act in due:
                act()


class Client:
    """A connection that waits for what the test says."""

    def __init__(self) -> None:
        self.now: Waiting | None = None
        self.expired: list[Wait] = []

    def waiting(self) -> Waiting | None:
        return self.now

    def expire(self, wait: Wait) -> None:
        self.expired.append(wait)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return Watch(timedelta(seconds=1))


def test_what_does_not_move_expires(clock: Clock, watch: Watch) -> None:
    client = Client()
    client.now = Waiting(Wait.BODY, 0, MINUTE)
    watch.add(client)
    clock.pass_seconds(59)
    assert client.expired == []
    clock.pass_seconds(2)
    assert client.expired == [Wait.BODY]


def test_a_byte_a_minute_is_progress(clock: Clock, watch: Watch) -> None:
    client = Client()
    watch.add(client)
    for received in range(10):
        client.now = Waiting(Wait.BODY, received, MINUTE)
        clock.pass_seconds(58)
    assert client.expired == []


def test_an_application_at_work_is_not_waited_for(clock: Clock, watch: Watch) -> None:
    client = Client()
    watch.add(client)
    clock.pass_seconds(600)
    assert client.expired == []
    client.now = Waiting(Wait.IDLE, 1, MINUTE)
    clock.pass_seconds(59)
    assert client.expired == []


def test_another_wait_begins_anew(clock: Clock, watch: Watch) -> None:
    client = Client()
    client.now = Waiting(Wait.IDLE, 1, MINUTE)
    watch.add(client)
    clock.pass_seconds(50)
    client.now = Waiting(Wait.HEAD, 1, MINUTE)
    clock.pass_seconds(50)
    assert client.expired == []
    clock.pass_seconds(12)
    assert client.expired == [Wait.HEAD]


def test_what_outlives_its_expiry_gets_the_same_time_again(clock: Clock, watch: Watch) -> None:
    client = Client()
    client.now = Waiting(Wait.HEAD, 1, MINUTE)
    watch.add(client)
    clock.pass_seconds(185)
    assert client.expired == [Wait.HEAD] * 3


def test_a_connection_that_is_gone_is_forgotten_and_the_timer_rests(clock: Clock, watch: Watch) -> None:
    client = Client()
    client.now = Waiting(Wait.HEAD, 1, MINUTE)
    watch.add(client)
    watch.discard(client)
    watch.discard(client)
    clock.pass_seconds(100)
    assert client.expired == []
    assert clock.timers == []
    watch.add(client)
    clock.pass_seconds(61)
    assert client.expired == [Wait.HEAD]


def test_a_connection_may_go_while_others_are_looked_at(clock: Clock, watch: Watch) -> None:
    class Leaving(Client):
        def expire(self, wait: Wait) -> None:
            super().expire(wait)
            watch.discard(self)

    clients = [Leaving() for _ in range(3)]
    for client in clients:
        client.now = Waiting(Wait.HEAD, 1, MINUTE)
        watch.add(client)
    clock.pass_seconds(200)
    assert [client.expired for client in clients] == [[Wait.HEAD]] * 3


def test_trouble_with_one_connection_is_told_and_does_not_end_the_patience_with_others(
    clock: Clock, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Client):
        asked = 0

        def waiting(self) -> Waiting | None:
            self.asked += 1
            if self.asked > 1:
                raise LookupError("no socket")
            return None

    broken, client = Broken(), Client()
    client.now = Waiting(Wait.HEAD, 1, MINUTE)
    watch.add(broken)
    watch.add(client)
    clock.pass_seconds(61)
    assert client.expired == [Wait.HEAD]
    assert "no socket" in caplog.text


def test_a_server_has_one_watch() -> None:
    class Worker:
        pass

    one, other = Worker(), Worker()
    assert watch_of(one, MINUTE) is watch_of(one, MINUTE)
    assert watch_of(one, MINUTE) is not watch_of(other, MINUTE)
