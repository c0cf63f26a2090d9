"""Browsers that have signed in: a secret in a cookie, which is a credential like any other and ends like any other.

signed in ──▶ a new secret, the former one of this browser taken back (fixation)
signed out, password changed, taken back in the list, user disabled ──▶ gone with the next request
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from registry.auth.basic import BasicCredentials
from registry.auth.giving import give_new
from registry.core.credentials import CredentialService
from registry.core.facts import Action, Caller, Credential, CredentialKind, Outcome
from registry.core.witness import NOBODY, Witness
from registry.oci.errors import Busy
from registry.web.cookies import Cookie, Cookies
from registry.web.user_agents import browser_name

T = TypeVar("T")


class Recogniser(Protocol):
    """Says who somebody is (`api/authenticate`)."""

    async def by_password(self, basic: BasicCredentials, address: str = "") -> Credential:
        """Raises: Unauthorized, Busy, and whatever else keeps somebody from being told who it is."""
        ...

    async def by_secret(self, secret: str, kind: CredentialKind, address: str = "") -> Credential | None:
        """The credential that is this secret, if it is good by now."""
        ...

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: ValueError for what nobody's can be."""
        ...


class InThread(Protocol):
    """Runs what waits, beside the event loop."""

    async def __call__(self, work: Callable[..., T], /, *arguments: object) -> T: ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose browser asks; `secret` is its cookie, which marks its forms."""

    credential: Credential
    secret: str

    @property
    def caller(self) -> Caller:
        """Who it is, with what it may do."""
        return self.credential.caller


@dataclass(frozen=True, slots=True)
class Sessions:
    """Begun, found and ended."""

    recogniser: Recogniser
    credentials: CredentialService
    in_thread: InThread
    cookies: Cookies
    lifetime: timedelta
    witness: Witness = NOBODY

    async def find(self, request: Request) -> SignedIn | None:
        """Who has signed in with this browser, and is still to be let in."""
        secret = self.cookies.read(request, Cookie.SESSION)
        if secret is None:
            return None
        try:
            known = await self.recogniser.by_secret(secret, CredentialKind.SESSION, address(request))
        except Busy:
            # A session that has ended, from where too many secrets were tried: all the same to who must sign in again.
            return None
        return SignedIn(known, secret) if known is not None else None

    async def begin(self, request: Request, response: Response, by: Caller) -> None:
        """Whoever is meant by `by` has just proved it; by its credential, with which the session will end."""
        former = await self.find(request)
        if former is not None:
            await self.in_thread(self.credentials.sign_out, former.caller)
        give = partial(
            give_new,
            self.credentials,
            by.principal,
            by,
            kind=CredentialKind.SESSION,
            label=browser_name(request.headers.get("user-agent", "")),
            lifetime=self.lifetime,
            parent=by.credential,
        )
        text, _ = await self.in_thread(give)
        self.witness.tell(Action.SIGN_IN, by, Outcome.DONE, detail="with a browser")
        self.cookies.put(request, response, Cookie.SESSION, text, self.lifetime)

    async def end(self, request: Request, response: Response, signed_in: SignedIn) -> None:
        """Sign out."""
        await self.in_thread(self.credentials.sign_out, signed_in.caller)
        self.cookies.drop(request, response, Cookie.SESSION)


def address(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""
