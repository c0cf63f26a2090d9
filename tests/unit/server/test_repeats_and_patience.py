"""A repeat is a request like any other to those who look for connections that stand still."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.server.limits import Limits
from registry.server.patience import Wait
from tests.unit.server.conftest import Begin
from tests.unit.server.site import PromptSite, Reply, eventually
from tests.unit.server.test_repeats import always, ask, connection_of


@pytest.fixture(scope="module")
def shared_site() -> PromptSite:
    return PromptSite()


@pytest.fixture
def site(shared_site: PromptSite) -> PromptSite:
    shared_site.clear()
    shared_site.replies["/"] = Reply(body=b"root", holds=always)
    return shared_site


def test_a_repeat_is_progress_of_an_idle_connection(begin: Begin, site: PromptSite) -> None:
    server = begin()
    with server.connect() as wire:
        ask(wire, 2)
        connection = connection_of(server)
        before = connection.waiting()
        ask(wire, 1)
        # The answer is out a moment before the connection has counted it.
        assert eventually(lambda: connection.waiting() != before)
        after = connection.waiting()
        assert len(site.asked) == 2
    assert before is not None
    assert after is not None
    assert before.wait is after.wait is Wait.IDLE


def test_a_connection_that_began_with_a_repeat_is_idle_and_not_slow(begin: Begin, site: PromptSite) -> None:
    server = begin(limits=Limits(head_within=timedelta(seconds=0.1), tick=timedelta(seconds=0.02)))
    with server.connect() as wire:
        ask(wire, 2)
    with server.connect() as wire:
        ask(wire, 1)
        assert len(site.asked) == 2
        wire.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            wire.rest()
        wire.sock.settimeout(20)
        assert ask(wire, 1) == [b"root"]
