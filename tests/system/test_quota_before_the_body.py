"""A refusal by quota on the wire: before the body where its length is known, and nothing of it is left on the disk."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.cli import main
from tests.support.server import RunningServer
from tests.support.wire import converse
from tests.system.conversation import Answer, Upload, address_of, ask, push_blob, sha256
from tests.system.objects import objects_of, wait_for_bytes
from tests.system.waiting import eventually

MEBIBYTE = 1 << 20
NAME = "limited/app"
HELD = b"h" * 5_000


@pytest.fixture
def limited(server: RunningServer) -> RunningServer:
    """Its project holds 5 kB, and may have 2 MiB more."""
    push_blob(address_of(server), NAME, HELD)
    limit(server, 2 * MEBIBYTE + len(HELD))
    return server


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[RunningServer]:
    """Whose idle sessions end soon."""
    settings: dict[str, str | bool] = {
        "open": True, "delete_delay": "1s", "sweep_interval": "200ms", "upload_expiry": "2s",
    }  # fmt: skip
    with RunningServer(tmp_path / "data", settings) as server:
        push_blob(address_of(server), NAME, HELD)
        limit(server, 2 * MEBIBYTE + len(HELD))
        yield server


def limit(server: RunningServer, size: int | str, *more: str) -> None:
    wanted = ["--bytes", str(size), *more, "--data", str(server.data)]
    done = CliRunner().invoke(main, ["quota", "set", "limited", *wanted])
    assert done.exit_code == 0, done.output


def used(server: RunningServer) -> int:
    with closing(sqlite3.connect(server.data / "registry.db")) as database:
        return int(database.execute("SELECT used FROM project WHERE name = 'limited'").fetchone()[0])


def nothing_is_left(server: RunningServer, upload: Upload) -> None:
    assert upload.status().status == 404
    assert used(server) == len(HELD)
    eventually("only what was there before is there", lambda: list(objects_of(server).values()) == [len(HELD)])


def is_quota(answer: Answer) -> bool:
    error = json.loads(answer.body)["errors"][0]
    return answer.status == 403 and error["code"] == "DENIED" and error["message"].startswith("quota exceeded: ")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_known_length_is_refused_before_anybody_is_told_to_continue(limited: RunningServer, method: str) -> None:
    upload = Upload.begin(address_of(limited), NAME)
    query = f"?digest={sha256(b'')}" if method == "PUT" else ""
    head = (
        f"{method} {upload.location}{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {3 * MEBIBYTE}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    (answer,) = converse(address_of(limited), head.encode())
    assert answer.status == 403
    # A session that may be gone on with would be told.
    assert "location" not in answer.headers
    nothing_is_left(limited, upload)


def test_a_chunk_is_refused_by_where_it_would_end(limited: RunningServer) -> None:
    upload = Upload.begin(address_of(limited), NAME)
    upload.patch(bytes(MEBIBYTE)).expect(202)
    assert used(limited) == len(HELD) + MEBIBYTE
    with upload.opened("PATCH", MEBIBYTE + 1, start=MEBIBYTE) as request:
        assert is_quota(request.answer())
    nothing_is_left(limited, upload)


def test_an_unknown_length_is_refused_in_the_stream(limited: RunningServer) -> None:
    upload = Upload.begin(address_of(limited), NAME)
    with upload.opened_stream() as request:
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(4):
                request.send_chunk(bytes(MEBIBYTE))
        assert is_quota(request.answer())
    nothing_is_left(limited, upload)


def test_a_push_by_one_request_is_refused_before_its_body(limited: RunningServer) -> None:
    data = bytes(3 * MEBIBYTE)
    target = f"/v2/{NAME}/blobs/uploads/?digest={sha256(data)}"
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
    (answer,) = converse(address_of(limited), f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert answer.status == 403
    assert used(limited) == len(HELD)


def test_a_closing_request_without_a_word_of_a_body_needs_no_room(limited: RunningServer) -> None:
    upload, data = Upload.begin(address_of(limited), NAME), bytes(2 * MEBIBYTE)
    upload.patch(data).expect(202)
    head = f"PUT {upload.location}?digest={sha256(data)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    (answer,) = converse(address_of(limited), head.encode())
    assert answer.status == 201
    assert used(limited) == len(HELD) + len(data)


def test_what_claims_to_be_a_blob_of_the_project_has_no_more_bytes_than_that(limited: RunningServer) -> None:
    limit(limited, len(HELD))
    upload, chunk = Upload.begin(address_of(limited), NAME), b"%x\r\n%b\r\n" % (MEBIBYTE, bytes(MEBIBYTE))
    head = (
        f"PUT {upload.location}?digest={sha256(HELD)} HTTP/1.1\r\nHost: x\r\nContent-Range: 0-{len(HELD) - 1}\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    (answer,) = converse(address_of(limited), head.encode() + 4 * chunk)
    assert answer.status == 403
    nothing_is_left(limited, upload)


def test_who_begins_to_push_is_told_of_soft_limits(limited: RunningServer) -> None:
    limit(limited, "none", "--soft-repositories", "1")
    target = "/v2/limited/second/blobs/uploads/"
    assert "has 2 repositories, beyond" in ask(address_of(limited), "POST", target).expect(202).headers["warning"]
    data = bytes(10_000)
    whole = f"/v2/limited/third/blobs/uploads/?digest={sha256(data)}"
    told = ask(address_of(limited), "POST", whole, body=data).expect(201).headers["warning"]
    assert told == '299 - "project limited has 3 repositories, beyond its soft limit of 1 repository"'


@pytest.mark.parametrize("size", [10, 10_000])
def test_a_blob_that_the_session_never_reserved_is_refused_at_its_end(limited: RunningServer, size: int) -> None:
    limit(limited, len(HELD))
    upload, data = Upload.begin(address_of(limited), NAME), bytes(size)
    assert is_quota(upload.close(sha256(data), data))
    nothing_is_left(limited, upload)
    assert ask(address_of(limited), "HEAD", f"/v2/{NAME}/blobs/{sha256(data)}").status == 404


def test_what_a_killed_server_had_reserved_is_given_back_when_the_session_expires(hasty: RunningServer) -> None:
    upload = Upload.begin(address_of(hasty), NAME)
    with upload.opened("PATCH", 2 * MEBIBYTE) as request:
        request.send(bytes(MEBIBYTE))
        wait_for_bytes(hasty, len(HELD))
        assert used(hasty) == len(HELD) + 2 * MEBIBYTE
        hasty.kill()
    assert used(hasty) == len(HELD) + 2 * MEBIBYTE
    hasty.start()
    eventually("the reservation is gone", lambda: used(hasty) == len(HELD))
    nothing_is_left(hasty, upload)
    push_blob(address_of(hasty), NAME, bytes(2 * MEBIBYTE))
