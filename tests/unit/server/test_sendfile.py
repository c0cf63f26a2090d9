"""Files leave the server as they are, at every size and over every transport, and stalled readers cost nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from registry.server import outlet, sendfile
from tests.unit.server.site import (
    Message,
    Receive,
    Scope,
    Send,
    Server,
    Site,
    descriptors,
    eventually,
    file_at,
    start,
    text,
)
from tests.unit.server.wire import head

SIZE = 3 * sendfile.SLICE + 12_345


@pytest.fixture(scope="session")
def content() -> bytes:
    return random.Random(1).randbytes(SIZE)  # noqa: S311 - content


@pytest.fixture(scope="session")
def file(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "content"
    path.write_bytes(content)
    return path


STRETCHES = [
    (0, SIZE),
    (0, 0),
    (0, 1),
    (SIZE - 1, 1),
    (0, sendfile.WHOLE),
    (0, sendfile.WHOLE + 1),
    (7, sendfile.WHOLE + 1),
    (4095, sendfile.SLICE),
    (1, SIZE - 2),
    (SIZE - sendfile.SLICE, sendfile.SLICE),
]


@pytest.mark.parametrize(("offset", "count"), STRETCHES)
def test_a_stretch_of_a_file_arrives_as_it_is(
    any_server: Server, site: Site, file: Path, content: bytes, offset: int, count: int
) -> None:
    site.handlers["/file"] = file_at(file, offset, count)
    with any_server.connect() as wire:
        answer = wire.get("/file")
        assert answer.headers["content-length"] == str(count)
        assert answer.body == content[offset : offset + count]


def test_a_file_number_without_offset_and_count_is_sent_from_its_position(
    server: Server, site: Site, file: Path, content: bytes
) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        number = os.open(file, os.O_RDONLY)
        try:
            os.lseek(number, 1000, os.SEEK_SET)
            await start(send, SIZE - 1000)
            await send({"type": "http.response.zerocopysend", "file": number})
        finally:
            os.close(number)

    site.handlers["/file"] = answer
    with server.connect() as wire:
        assert wire.get("/file").body == content[1000:]


@pytest.mark.parametrize("count", [10, sendfile.SLICE + 1])
def test_a_file_of_a_response_without_length_is_a_chunk(
    any_server: Server, site: Site, file: Path, content: bytes, count: int
) -> None:
    site.handlers["/file"] = file_at(file, 5, count, length=False)
    with any_server.connect() as wire:
        answer = wire.get("/file")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.body == content[5 : 5 + count]
        assert wire.get("/elsewhere").status == 404


def test_bytes_and_stretches_of_files_mix_in_one_response(
    any_server: Server, site: Site, file: Path, content: bytes
) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        large = sendfile.SLICE + 1
        with file.open("rb") as opened:
            stretch: Message = {"type": "http.response.zerocopysend", "file": opened, "more_body": True}
            await start(send, 3 + large + 2 + 100 + large)
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
            await send({**stretch, "offset": 0, "count": large})
            await send({"type": "http.response.body", "body": b"de", "more_body": True})
            await send({**stretch, "offset": 50, "count": 100})
            await send({**stretch, "offset": 9, "count": large, "more_body": False})

    site.handlers["/mixed"] = answer
    large = sendfile.SLICE + 1
    expected = b"abc" + content[:large] + b"de" + content[50:150] + content[9 : 9 + large]
    with any_server.connect() as wire:
        assert wire.get("/mixed").body == expected
        assert wire.get("/elsewhere").status == 404


def test_a_file_does_not_overtake_bytes_that_wait_for_the_client(
    server: Server, site: Site, file: Path, content: bytes
) -> None:
    before = bytearray()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        [connection] = server.server_state.connections
        await start(send, None)
        while not connection.transport.get_write_buffer_size():
            await send({"type": "http.response.body", "body": b"before" * 2000, "more_body": True})
            before.extend(b"before" * 2000)
        with file.open("rb") as opened:
            await send({"type": "http.response.zerocopysend", "file": opened, "offset": 0, "count": SIZE})

    site.handlers["/mixed"] = answer
    with server.connect(receive_buffer=4096) as wire:
        assert wire.get("/mixed").body == bytes(before) + content


@pytest.mark.parametrize("count", [100, SIZE])
def test_head_has_the_length_and_no_body(any_server: Server, site: Site, file: Path, count: int) -> None:
    site.handlers["/file"] = file_at(file, 0, count)
    with any_server.connect() as wire:
        assert wire.get("/file", method="HEAD").headers["content-length"] == str(count)
        assert wire.get("/elsewhere").status == 404


def test_a_connection_goes_on_after_files(any_server: Server, site: Site, file: Path, content: bytes) -> None:
    site.handlers["/file"] = file_at(file)
    site.handlers["/few"] = file_at(file, 0, 20)
    with any_server.connect() as wire:
        for _ in range(3):
            assert wire.get("/file").body == content
            assert wire.get("/few").body == content[:20]
            assert wire.get("/elsewhere").body == b"not here"


def test_pipelined_requests_for_files_are_answered_in_order(
    any_server: Server, site: Site, file: Path, content: bytes
) -> None:
    site.handlers["/file"] = file_at(file)
    site.handlers["/tail"] = file_at(file, SIZE - 9, 9)
    with any_server.connect() as wire:
        wire.send(head("GET", "/file"), head("GET", "/tail"), head("HEAD", "/file"), head("GET", "/file"))
        assert wire.answer().body == content
        assert wire.answer().body == content[-9:]
        assert wire.answer("HEAD").headers["content-length"] == str(SIZE)
        assert wire.answer().body == content


def test_a_connection_asked_to_close_closes_after_the_file(
    any_server: Server, site: Site, file: Path, content: bytes
) -> None:
    site.handlers["/file"] = file_at(file)
    with any_server.connect() as wire:
        answer = wire.get("/file", "Connection: close")
        assert answer.headers["connection"] == "close"
        assert answer.body == content
        assert wire.is_closed()


def test_a_head_is_not_held_back_for_a_file_that_takes_its_time(server: Server, site: Site, file: Path) -> None:
    released = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, SIZE)
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        # Only the client's going ends this wait, and it goes when it has seen the head.
        released.append(await receive())

    site.handlers["/slow"] = answer
    with server.connect() as wire:
        wire.send(head("GET", "/slow"))
        assert b"content-length" in wire._until(b"\r\n\r\n")
    assert eventually(lambda: released == [{"type": "http.disconnect"}])


def test_a_reader_that_is_slow_gets_everything(server: Server, site: Site, file: Path, content: bytes) -> None:
    site.handlers["/file"] = file_at(file)
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/file"))
        wire._until(b"\r\n\r\n")
        got = b"".join(wire.read(min(50_000, SIZE - at)) for at in range(0, SIZE, 50_000))
        assert got == content


def test_readers_that_stall_hold_no_memory(server: Server, site: Site, file: Path) -> None:
    site.handlers["/file"] = file_at(file)
    wires = [server.connect(receive_buffer=4096) for _ in range(20)]
    for wire in wires:
        wire.send(head("GET", "/file"))
        wire._until(b"\r\n\r\n")
    transports = [connection.transport for connection in server.server_state.connections]
    assert len(transports) == 20
    assert sum(transport.get_write_buffer_size() for transport in transports) == 0
    for wire in wires:
        wire.reset()
    assert eventually(server.is_at_rest)


@pytest.mark.parametrize("leave", ["reset", "close"])
@pytest.mark.parametrize("count", [20, SIZE])
def test_clients_that_leave_in_the_middle_leak_nothing(
    any_server: Server, site: Site, file: Path, leave: str, count: int
) -> None:
    site.handlers["/file"] = file_at(file, 0, count)
    any_server.connect().sock.close()
    assert eventually(any_server.is_at_rest)
    before = descriptors()
    for _ in range(10):
        wire = any_server.connect(receive_buffer=4096)
        wire.send(head("GET", "/file"))
        wire._until(b"\r\n")
        if leave == "reset" and any_server.tls is None:
            wire.reset()
        else:
            wire.sock.close()
    assert eventually(any_server.is_at_rest)
    assert eventually(lambda: descriptors() <= before)


def test_nothing_is_read_for_a_client_that_has_left(
    secure_server: Server, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as opened:
        opened.truncate(256 << 20)
    read: list[int] = []

    async def seen(number: int, offset: int, count: int) -> bytes | bytearray:
        read.append(offset)
        return await sendfile.read(number, offset, count)

    monkeypatch.setattr(outlet, "read", seen)
    site.handlers["/file"] = file_at(large)
    with secure_server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/file"))
        wire._until(b"\r\n\r\n")
        wire.reset()
    assert eventually(secure_server.is_at_rest)
    assert len(read) < 100
    assert "closed" not in caplog.text


def test_a_client_that_shut_its_sending_side_still_gets_the_file(
    server: Server, site: Site, file: Path, content: bytes
) -> None:
    site.handlers["/file"] = file_at(file)
    with server.connect() as wire:
        wire.send(head("GET", "/file"))
        wire.sock.shutdown(1)
        assert wire.answer().body == content
        assert wire.is_closed()
    assert eventually(server.is_at_rest)


def test_a_file_that_ends_early_breaks_the_connection(any_server: Server, site: Site, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(bytes(100_000))
    site.handlers["/file"] = file_at(short, 0, 200_000)
    with any_server.connect() as wire, pytest.raises((EOFError, ConnectionError)):
        wire.get("/file")
    assert eventually(any_server.is_at_rest)


@pytest.mark.parametrize("count", [20, 100_000])
def test_more_file_than_the_promised_length_is_an_error(server: Server, site: Site, file: Path, count: int) -> None:
    raised: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with file.open("rb") as opened:
            await start(send, count - 1)
            try:
                await send({"type": "http.response.zerocopysend", "file": opened, "offset": 0, "count": count})
            except RuntimeError as error:
                raised.append(str(error))
                raise

    site.handlers["/file"] = answer
    with server.connect() as wire, pytest.raises((EOFError, ConnectionError)):
        wire.get("/file")
    assert raised == ["response file is longer than content-length"]


def test_a_file_before_the_head_is_an_error(server: Server, site: Site, file: Path) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with file.open("rb") as opened:
            await send({"type": "http.response.zerocopysend", "file": opened})

    site.handlers["/file"] = answer
    with server.connect() as wire:
        assert wire.get("/file").status == 500


def forget(file: Path) -> None:
    """Take a file out of the page cache."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_pages_that_are_not_in_the_cache_are_fetched_by_a_thread(
    server: Server, site: Site, file: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[tuple[int, int]] = []
    fetch = sendfile._fetch

    def seen(number: int, offset: int, count: int) -> None:
        fetched.append((offset, count))
        fetch(number, offset, count)

    monkeypatch.setattr(sendfile, "_fetch", seen)
    site.handlers["/file"] = file_at(file)
    forget(file)
    with server.connect() as wire:
        assert wire.get("/file").body == content
    assert fetched[0] == (0, sendfile.SLICE)


@pytest.mark.parametrize("count", [50, SIZE])
def test_over_tls_and_in_small_they_are_read_by_a_thread(
    secure_server: Server, site: Site, file: Path, content: bytes, count: int
) -> None:
    site.handlers["/file"] = file_at(file, 0, count)
    forget(file)
    with secure_server.connect() as wire:
        assert wire.get("/file").body == content[:count]


def test_a_file_system_that_cannot_tell_is_read_in_a_thread(
    any_server: Server, site: Site, file: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untold(*_: object) -> int:
        raise OSError(95, "operation not supported")

    monkeypatch.setattr(os, "preadv", untold)
    site.handlers["/file"] = file_at(file)
    site.handlers["/few"] = file_at(file, 3, 30)
    with any_server.connect() as wire:
        assert wire.get("/file").body == content
        assert wire.get("/few").body == content[3:33]


def test_a_cancelled_response_stops_sending(server: Server, site: Site, file: Path) -> None:
    site.handlers["/file"] = file_at(file)
    before = descriptors()
    with server.connect(receive_buffer=4096) as wire:
        wire.send(head("GET", "/file"))
        wire._until(b"\r\n\r\n")
        for task in list(server.server_state.tasks):
            task.get_loop().call_soon_threadsafe(task.cancel)
        with pytest.raises((EOFError, ConnectionError)):
            wire.read(SIZE)
    assert eventually(server.is_at_rest)
    assert eventually(lambda: descriptors() <= before)


def test_plain_answers_still_work_beside_files(any_server: Server, site: Site) -> None:
    site.handlers["/"] = text(b"hello")
    with any_server.connect() as wire:
        assert wire.get("/").body == b"hello"
