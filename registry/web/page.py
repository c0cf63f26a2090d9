"""The page that says what this is and how to push, and the one that says that there is nothing here."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from registry.web.address import Address
from registry.web.rendering import HEADERS, TEMPLATES, Pages

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ICON: Final = (TEMPLATES / "icon.svg").read_bytes()
_ICON_HEADERS: Final = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"}


def routes(public_url: str | None, pages: Pages) -> list[Route]:
    """The front page, the icon, and an answer for every other path; they go after all routes of the API.

    The commands on the page name the host of `public_url`, or the one that the request asked for.
    Raises: ValueError where `public_url` is not the address of a registry.
    """
    announced = Address.of_url(public_url) if public_url else None

    async def front(request: Request) -> Response:
        address = announced or Address.of_request(request.url.scheme, request.headers.get("host", ""))
        return pages.show("front.html", address=address)

    async def missing(_: Request) -> Response:
        return pages.show("missing.html", status=404)

    async def icon(_: Request) -> Response:
        return Response(_ICON, media_type="image/svg+xml", headers=HEADERS | _ICON_HEADERS)

    return [
        Route("/", front),
        Route("/favicon.ico", icon),
        Route("/{path:path}", missing, methods=_METHODS),
    ]
