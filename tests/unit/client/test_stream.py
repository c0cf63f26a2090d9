"""`client.stream`: a blob comes whole, whatever becomes of its connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry.client.errors import Forbidden, Malformed, NotFound, Unanswered
from registry.client.registry import Registry
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from tests.support.elsewhere import Elsewhere, Reply
from tests.support.images import random_bytes

NAME = RepositoryName("team/app")
DATA = random_bytes("blob", 3_000_000)
DIGEST = Digest.of(DATA)
PATH = f"/v2/{NAME}/blobs/{DIGEST}"
SIZE = len(DATA)

Client = Callable[..., Registry]


@pytest.fixture(autouse=True)
def _pushed(elsewhere: Elsewhere) -> None:
    elsewhere.blobs[str(NAME), str(DIGEST)] = DATA


def pulled(client: Client, size: int = SIZE) -> bytes:
    return b"".join(client().blob(NAME, DIGEST, size))


def ranges(elsewhere: Elsewhere) -> list[str | None]:
    return [each.headers.get("Range") for each in elsewhere.seen if each.path == PATH]


def test_a_blob_comes_as_it_is(elsewhere: Elsewhere, client: Client) -> None:
    assert pulled(client) == DATA
    assert ranges(elsewhere) == [None]


def test_it_goes_on_where_it_was_cut_off(elsewhere: Elsewhere, client: Client) -> None:
    rest = {"Content-Range": f"bytes 1048576-{SIZE - 1}/{SIZE}"}
    elsewhere.instead[PATH] = [Reply(200, DATA, sent=1_048_576), Reply(206, DATA[1_048_576:], rest, sent=5)]
    assert pulled(client) == DATA
    assert ranges(elsewhere) == [None, "bytes=1048576-", "bytes=1048581-"]


def test_where_no_ranges_are_served_what_came_already_is_passed_over(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.instead[PATH] = [Reply(200, DATA, sent=1_500_000), Reply(200, DATA, sent=1_000), Reply(200, DATA)]
    assert pulled(client) == DATA


def test_it_is_asked_for_at_the_registry_each_time(elsewhere: Elsewhere, client: Client) -> None:
    signed = Reply(307, headers={"Location": "/signed/1"}), Reply(307, headers={"Location": "/signed/2"})
    elsewhere.instead[PATH] = list(signed)
    elsewhere.always["/signed/1"] = Reply(200, DATA, sent=2_000_000)
    rest = {"Content-Range": f"bytes 2000000-{SIZE - 1}/{SIZE}"}
    elsewhere.always["/signed/2"] = Reply(206, DATA[2_000_000:], rest)
    assert pulled(client) == DATA
    assert elsewhere.paths()[1:] == [PATH, "/signed/1", PATH, "/signed/2"]


def test_one_that_is_cut_again_and_again_is_given_up(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always[PATH] = Reply(200, DATA, sent=10)
    with pytest.raises(Unanswered, match=f"{PATH}: .*broke off"):
        pulled(client)
    assert len(ranges(elsewhere)) == 6


def test_one_that_gets_on_is_not_given_up(elsewhere: Elsewhere, client: Client) -> None:
    data = DATA * 4
    digest = Digest.of(data)
    path = f"/v2/{NAME}/blobs/{digest}"
    elsewhere.instead[path] = [Reply(200, data, sent=1_100_000 * number) for number in range(1, 11)]
    elsewhere.blobs[str(NAME), str(digest)] = data
    assert b"".join(client().blob(NAME, digest, len(data))) == data


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, DATA[:-1]), f"has {SIZE - 1} bytes instead of {SIZE}"),
        (Reply(200, DATA + b"x"), f"has {SIZE + 1} bytes instead of {SIZE}"),
    ],
)
def test_another_length_than_its_descriptor_says_is_refused(
    elsewhere: Elsewhere, client: Client, reply: Reply, reason: str
) -> None:
    elsewhere.always[PATH] = reply
    with pytest.raises(Malformed, match=reason):
        pulled(client)


def test_a_blob_without_end_is_not_read_to_its_end(elsewhere: Elsewhere, client: Client) -> None:
    chunks = b"".join(b"100000\r\n%b\r\n" % (b"x" * 0x100000) for _ in range(5)) + b"0\r\n\r\n"
    elsewhere.always[PATH] = Reply(200, chunks, {"Transfer-Encoding": "chunked"})
    with pytest.raises(Malformed, match=f"has more than {SIZE} bytes"):
        pulled(client)


@pytest.mark.parametrize(
    "part", ["bytes 0-2999999/3000000", "bytes 1000000-2999999/4000000", "bytes */3000000", "pages 1-2/3", ""]
)
def test_another_part_than_was_asked_for_is_refused(elsewhere: Elsewhere, client: Client, part: str) -> None:
    elsewhere.instead[PATH] = [Reply(200, DATA, sent=1_000_000), Reply(206, DATA[1_000_000:], {"Content-Range": part})]
    with pytest.raises(Malformed, match="another part came than was asked for"):
        pulled(client)


def test_what_is_not_there_is_told_by_its_status(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.instead[PATH] = [Reply(404), Reply(403, b'{"errors": [{"code": "DENIED", "message": "no"}]}')]
    with pytest.raises(NotFound, match=f"{PATH}: 404"):
        pulled(client)
    with pytest.raises(Forbidden, match=f"{PATH}: 403 DENIED: no"):
        pulled(client)


def test_a_refusal_of_any_length_is_one(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always[PATH] = Reply(403, b"<html>" * 1_000_000)
    with pytest.raises(Forbidden, match=f"{PATH}: 403$"):
        pulled(client)
    elsewhere.always[PATH] = Reply(403, b"cut off", sent=3)
    with pytest.raises(Forbidden, match=f"{PATH}: 403$"):
        pulled(client)


def test_nothing_is_a_blob_too(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.blobs[str(NAME), str(Digest.of(b""))] = b""
    assert not list(client().blob(NAME, Digest.of(b""), 0))
    with pytest.raises(NotFound):
        list(client().blob(RepositoryName("other"), Digest.of(b""), 0))
