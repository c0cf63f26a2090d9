"""Errors, rendered once: the specification's JSON document, and the headers that some statuses owe (Error Codes)."""

from __future__ import annotations

import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from registry.api.messages import Answer, Headers, text
from registry.oci.errors import RegistryError

JSON: Final = (b"content-type", b"application/json")


def render(error: RegistryError, headers: Headers = ()) -> Answer:
    """The answer that an error stands for."""
    owed = () if error.retry_after is None else ((b"retry-after", text(error.retry_after)),)
    return refusal(error.status, error.code, error.message, error.detail, (*owed, *headers))


async def refuse(_: Request, error: Exception) -> Response:
    """The same for what Starlette serves."""
    if not isinstance(error, RegistryError):
        raise error
    answer = render(error)
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


def refusal(status: int, code: str, message: str, detail: object = None, headers: Headers = ()) -> Answer:
    """An error document with one error."""
    # Never without detail: docker reads an error with a stock message and none as a bare code, which its list of codes
    # not to try again does not know, and pushes the layer five times.
    entry = {"code": code, "message": message, "detail": detail or {}}
    body = json.dumps({"errors": [entry]}, default=str).encode()
    return Answer(status, (JSON, (b"content-length", text(len(body))), *headers), body)
