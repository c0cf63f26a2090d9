"""What goes wrong, as a small page instead of a document for programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from registry.oci.errors import RegistryError, Unauthorized
from registry.web.rendering import Pages

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(pages: Pages, endpoint: Endpoint) -> Endpoint:
    """The same endpoint; what it refuses is shown to a person."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RegistryError as error:
            return refused(pages, error)

    return answered


def refused(pages: Pages, error: RegistryError) -> Response:
    """The page that an error stands for."""
    return owing(error, pages.show("refused.html", status_of(error), sentence=sentence(error)))


def owing(error: RegistryError, response: Response) -> Response:
    """The response, with the header that tells when to come back."""
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def status_of(error: RegistryError) -> int:
    """Of the page: a 401 would owe a challenge, which a browser would answer with a window of its own."""
    return 403 if isinstance(error, Unauthorized) else error.status


def sentence(error: RegistryError) -> str:
    """The message, as a person reads it."""
    told = str(error.detail.get("reason", "")) if error.detail else ""
    message = f"{error.message}: {told}" if told else error.message
    return f"{message[:1].upper()}{message[1:]}."
