"""Forms that come back: read within bounds, and only where we gave them out ourselves.

Three things must agree, each of which stops a form from elsewhere by itself (CSRF): the session's cookie is not sent
with it, what the browser says of its origin is another one, and it lacks the mark that only we can make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from registry.auth.browser_keys import BrowserKeys
from registry.oci.errors import Denied, RegistryError

MARK: Final = "mark"
"""The hidden field."""
_LONGEST: Final = 64 * 1024
_MOST_FIELDS: Final = 32
_TYPE: Final = "application/x-www-form-urlencoded"


class FormInvalid(RegistryError):
    """A form that none of these pages has."""

    status, message = 400, "this is no form that can be read here"


class FormForged(Denied):
    """A form that does not come from a page which this browser was given by us."""

    message = "this form has not come from this page, or is too old: load the page again"


async def read_form(request: Request) -> dict[str, str]:
    """Its fields, each of them once. Raises: FormInvalid."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise FormInvalid
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            raise FormInvalid
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise FormInvalid from None
    if len(dict(pairs)) != len(pairs):
        raise FormInvalid
    return dict(pairs)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where these pages stand, as a browser calls it."""

    public_url: str | None = None

    def demand_own(self, request: Request) -> None:
        """Raises: FormForged when the browser says that the form stood elsewhere; older ones say nothing."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site not in {None, "same-origin"}:
            raise FormForged
        # By its host: where a proxy speaks TLS for us, only the operator knows which scheme a browser sees.
        if origin is not None and origin != self.public_url and origin.partition("://")[2] != _host(request):
            raise FormForged


def demand_mark(fields: dict[str, str], keys: BrowserKeys, secret: str | None) -> None:
    """Raises: FormForged unless the form carries what was put into it for who keeps this secret."""
    if secret is None or not keys.is_mark(fields.get(MARK, ""), secret):
        raise FormForged


def _host(request: Request) -> str:
    return request.headers.get("host", "").lower()
