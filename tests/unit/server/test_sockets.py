"""Workers listen on sockets of their own at one address that nobody else has."""

from __future__ import annotations

import socket

import pytest

from registry.server.sockets import listen


def close(sockets: list[list[socket.socket]]) -> None:
    for share in sockets:
        for listening in share:
            listening.close()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_share_listens_at_the_same_free_port(count: int) -> None:
    sockets = listen("127.0.0.1", 0, shares=count, backlog=10)
    assert len(sockets) == count
    [address] = {listening.getsockname() for share in sockets for listening in share}
    for _ in range(10):
        socket.create_connection(address).close()
    close(sockets)


@pytest.mark.parametrize("theirs", [1, 2])
@pytest.mark.parametrize("ours", [1, 2])
def test_a_port_in_use_is_an_error_even_if_it_is_shared(theirs: int, ours: int) -> None:
    sockets = listen("127.0.0.1", 0, shares=theirs, backlog=10)
    port = sockets[0][0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", port, shares=ours, backlog=10)
    close(sockets)


def test_every_address_of_a_name_is_listened_at_with_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    sockets = listen("both.test", 0, shares=2, backlog=10)
    for share in sockets:
        assert [listening.getsockname()[0] for listening in share] == ["127.0.0.1", "127.0.0.2"]
        assert len({listening.getsockname()[1] for listening in share}) == 1
    close(sockets)


def test_an_address_that_is_not_here_is_passed_over_while_there_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    # 192.0.2.0/24 is for documentation and nobody's.
    absent = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [absent, here])
    sockets = listen("some.test", 0, shares=2, backlog=10)
    assert [[listening.getsockname()[0] for listening in share] for share in sockets] == [["127.0.0.1"]] * 2
    close(sockets)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [absent])
    with pytest.raises(OSError, match="assign"):
        listen("some.test", 0, shares=2, backlog=10)
