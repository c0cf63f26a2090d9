"""The page that says what this is and how to push, and the one that says that there is nothing here.

Both stand alone: no script, no file besides them but an icon, the style inside and named to the browser by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from registry.web.address import Address

_TEMPLATES: Final = Path(__file__).parent / "templates"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ICON: Final = (_TEMPLATES / "icon.svg").read_bytes()
_STYLE: Final = (_TEMPLATES / "page.css").read_text("utf-8")
_ICON_HEADERS: Final = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": "default-src 'none'"}


def routes(public_url: str | None, version: str) -> list[Route]:
    """The front page, the icon, and an answer for every other path; they go after all routes of the API.

    The commands on the page name the host of `public_url`, or the one that the request asked for.
    Raises: ValueError where `public_url` is not the address of a registry.
    """
    announced = Address.of_url(public_url) if public_url else None
    templates = _environment()

    async def front(request: Request) -> Response:
        address = announced or Address.of_request(request.url.scheme, request.headers.get("host", ""))
        return _page(templates.get_template("front.html").render(address=address, version=version))

    async def missing(_: Request) -> Response:
        return _page(templates.get_template("missing.html").render(version=version), status=404)

    async def icon(_: Request) -> Response:
        return Response(_ICON, media_type="image/svg+xml", headers=_HEADERS | _ICON_HEADERS)

    return [
        Route("/", front),
        Route("/favicon.ico", icon),
        Route("/{path:path}", missing, methods=_METHODS),
    ]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Exactly these bytes stand between the tags, for their hash is what the browser lets through.
    environment.globals["style"] = Markup(_STYLE)  # noqa: S704  # our own file, and no text of a request comes near it
    return environment


def _page(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status, headers=_HEADERS)


def _content_security_policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


_HEADERS: Final = {
    "Content-Security-Policy": _content_security_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The page repeats the Host that it was asked for: kept by a proxy, it tells others whatever somebody chose.
    "Cache-Control": "no-store",
}
"""Of every answer of this room."""
