"""What an outlet knows of a connection whose transport does not tell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from registry.server.outlet import Outlet


class Untold(asyncio.Transport):
    """The TLS transport of a client that has gone, as uvloop has it: no socket, and not closing."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 7

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


@pytest.fixture
def outlet() -> Outlet:
    async def made() -> Outlet:
        transport = Untold()
        return Outlet(transport, FlowControl(transport), lambda: None, secure=True)

    return asyncio.run(made())


def test_a_lost_connection_is_ending_whatever_its_transport_says(outlet: Outlet) -> None:
    assert not outlet.is_closing()
    outlet.lost()
    assert outlet.is_closing()


def test_a_transport_without_socket_makes_no_progress_and_no_trouble(outlet: Outlet) -> None:
    assert outlet.progress() == outlet.progress() == (0, 7, 0)
    outlet.write(b"abc")
    assert outlet.progress() == (3, 7, 0)
