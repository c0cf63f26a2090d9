"""The cookies that these pages give out: read by no script, sent to this host alone, and over TLS only where there is.

`__Host-` has the browser refuse the same cookie from any other host of the domain, or without TLS (RFC 6265bis).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_LONGEST: Final = 4096


class Cookie(Enum):
    """What each is for: its name over TLS, and its name without."""

    # Who has signed in.
    SESSION = ("__Host-entrepot", "entrepot-session")
    # Which browser was given the form to sign in with.
    FORM = ("__Host-entrepot-form", "entrepot-form")
    # A sign-in at a provider that this browser has begun.
    FLOW = ("__Host-entrepot-flow", "entrepot-flow")


@dataclass(frozen=True, slots=True)
class Cookies:
    """Puts them and reads them; `public_url` is how browsers reach us, where a proxy stands in between."""

    public_url: str | None = None

    def read(self, request: Request, cookie: Cookie) -> str | None:
        """What the browser has kept."""
        value = request.cookies.get(self._name(request, cookie))
        return value if value and len(value) <= _LONGEST else None

    def put(self, request: Request, response: Response, cookie: Cookie, value: str, lifetime: timedelta) -> None:
        """Have the browser keep it."""
        response.set_cookie(
            self._name(request, cookie),
            value,
            max_age=int(lifetime.total_seconds()),
            path="/",
            secure=self._is_secure(request),
            httponly=True,
            # Lax: who follows a link to here is still signed in, and no form from elsewhere is.
            samesite="lax",
        )

    def drop(self, request: Request, response: Response, cookie: Cookie) -> None:
        """Have the browser forget it."""
        self.put(request, response, cookie, "", timedelta(0))

    def _name(self, request: Request, cookie: Cookie) -> str:
        secure, plain = cookie.value
        return secure if self._is_secure(request) else plain

    def _is_secure(self, request: Request) -> bool:
        return (self.public_url or request.url.scheme).startswith("https")
