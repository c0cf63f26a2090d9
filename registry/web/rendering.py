"""How a page is made: templates, one style, and headers that let a browser do nothing but show it.

Every page stands alone: no script, no file besides it but an icon, the style inside and named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLE: Final = (TEMPLATES / "page.css").read_text("utf-8")


class Pages:
    """All templates, with what every page says."""

    def __init__(self, version: str, *, sign_in: bool = False) -> None:
        """With `sign_in`, pages lead to where that is done."""
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Exactly these bytes stand between the tags, for their hash is what the browser lets through.
        style = Markup(_STYLE)  # noqa: S704  # our own file, and no text of a request comes near it
        self._templates.globals.update(style=style, version=version, sign_in=sign_in)

    def show(self, template: str, status: int = 200, **facts: object) -> Response:
        """A page that sends nothing anywhere."""
        return self._page(template, status, HEADERS, facts)

    def show_form(self, template: str, status: int = 200, **facts: object) -> Response:
        """A page with forms, which lead back here and nowhere else."""
        return self._page(template, status, _FORM_HEADERS, facts)

    def _page(self, template: str, status: int, headers: dict[str, str], facts: dict[str, object]) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(facts), status, headers=headers)


def _content_security_policy(form_action: str) -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; "
        f"base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )


HEADERS: Final = {
    "Content-Security-Policy": _content_security_policy("'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The page repeats the Host that it was asked for: kept by a proxy, it tells others whatever somebody chose.
    "Cache-Control": "no-store",
}
"""Of every answer of this room."""
_FORM_HEADERS: Final = HEADERS | {
    "Content-Security-Policy": _content_security_policy("'self'"),
    "Cross-Origin-Opener-Policy": "same-origin",
    # Without any referrer a browser says `Origin: null` with a form (Fetch, append a request Origin header), and
    # nobody could see where the form stood.
    "Referrer-Policy": "same-origin",
}
