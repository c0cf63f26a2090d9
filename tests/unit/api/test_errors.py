"""Errors, rendered: the specification's document, whatever an error carries."""

from __future__ import annotations

import json

import pytest
from httpx import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from registry.api.errors import refusal, refuse, render
from registry.api.messages import text
from registry.oci import errors
from registry.oci.errors import Busy, ManifestInvalid, NameInvalid, RegistryError, Unavailable
from tests.support.inprocess import URL, in_process

ERRORS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, RegistryError)]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_a_document_of_the_specification(error: type[RegistryError]) -> None:
    answer = render(error(name="x"), ((b"x-more", b"1"),))
    assert isinstance(answer.body, bytes)
    assert answer.status == error.status
    document = {"code": error.code.value, "message": error.message, "detail": {"name": "x"}}
    assert json.loads(answer.body) == {"errors": [document]}
    headers = dict(answer.headers)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"content-length"] == str(len(answer.body)).encode()
    assert headers[b"x-more"] == b"1"


def test_an_error_never_lacks_detail_because_docker_would_try_it_again() -> None:
    assert b'"detail": {}' in bytes(render(NameInvalid()).body)  # type: ignore[arg-type] # bytes, as above


def test_only_who_may_have_more_luck_later_is_told_when() -> None:
    assert [each for each in ERRORS if b"retry-after" in dict(render(each()).headers)] == [Busy, Unavailable]


def test_what_starlette_serves_tells_it_too() -> None:
    async def fails(_: Request) -> Response:
        raise Unavailable(reason="x")

    application = Starlette(routes=[Route("/", fails)], exception_handlers={RegistryError: refuse})
    with in_process(application) as transport, Client(transport=transport, base_url=URL) as client:
        answer = client.get("/")
    expected = render(Unavailable(reason="x"))
    assert (answer.status_code, answer.content) == (503, expected.body)
    assert answer.headers["retry-after"] == "1"


def test_a_detail_that_is_not_json_is_told_as_text() -> None:
    answer = render(ManifestInvalid(reason=ValueError("x"), lone="\ud800", tags=("a",)))
    assert isinstance(answer.body, bytes)
    detail = json.loads(answer.body)["errors"][0]["detail"]
    assert detail == {"reason": "x", "lone": "\ud800", "tags": ["a"]}


def test_a_code_beyond_the_list_can_be_told_when_we_fail() -> None:
    body = refusal(500, "UNKNOWN", "no").body
    assert isinstance(body, bytes)
    assert json.loads(body)["errors"] == [{"code": "UNKNOWN", "message": "no", "detail": {}}]


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x", "é", "\N{SNOWMAN}", "\ud800"])
def test_no_header_value_leaves_ascii(value: str) -> None:
    assert text(value).isascii()
