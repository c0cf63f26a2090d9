"""Signing in by a provider of OpenID Connect: the browser is sent away with a sealed cookie, and comes with a code.

GET /login/oidc/<source>            ──▶ the provider, and the flow into this browser's cookie
GET /login/oidc/<source>/callback   ◀── the provider: the code is redeemed, whoever it is admitted, a session begun

A link and no form: a browser lets a form lead nowhere but here, not even by way of us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from registry.auth.browser_keys import BrowserKeys
from registry.auth.sign_in.flow import LIFETIME, Flow
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.core.admission import AdmissionService
from registry.core.facts import Action, Caller, ExternalIdentity, Outcome
from registry.core.refusals import NotAdmitted
from registry.core.witness import Witness
from registry.oci.errors import Denied, RegistryError, Unavailable
from registry.web.cookies import Cookie, Cookies
from registry.web.destinations import destination
from registry.web.refusals import guarded, refused
from registry.web.rendering import HEADERS, Pages
from registry.web.sessions import InThread, Sessions, address
from registry.web.signing_in import go_to

T = TypeVar("T")

_FOUND: Final = 302
_PURPOSE: Final = "flow"


class Provider(Protocol):
    """One provider (`auth/sign_in/provider`); both calls wait for it."""

    def begin(self, redirect_uri: str) -> tuple[str, Flow]:
        """Where the browser is to go, and what has to be known when it is back. Raises: SourceUnavailable."""
        ...

    def finish(self, flow: Flow, callback_query: str) -> ExternalIdentity:
        """Who has signed in. Raises: SignInRefused, SourceUnavailable."""
        ...


class NotSignedIn(Denied):
    """A provider's answer that lets nobody in; `detail` says what a person may know of it."""

    message = "you were not signed in"


class ProviderAway(Unavailable):
    """The provider cannot be asked now; every other way to sign in goes on."""

    message = "the place that knows your account cannot be asked now: try again in a while"


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """The pages between a provider and a session; `public_url` is what the providers know us by."""

    pages: Pages
    providers: Mapping[str, Provider]
    sessions: Sessions
    admission: AdmissionService
    keys: BrowserKeys
    cookies: Cookies
    waiting: InThread
    nobody: Caller
    witness: Witness
    public_url: str

    def routes(self) -> list[Route]:
        """A pair for each provider."""
        return [
            route
            for name in self.providers
            for route in (
                Route(f"/login/oidc/{name}", guarded(self.pages, partial(self._begin, name)), methods=["GET"]),
                Route(f"/login/oidc/{name}/callback", partial(self._callback, name), methods=["GET"]),
            )
        ]

    async def _begin(self, name: str, request: Request) -> Response:
        redirect_uri = f"{self.public_url}/login/oidc/{name}/callback"
        url, flow = await self._ask(name, request, self.providers[name].begin, redirect_uri)
        response = RedirectResponse(url, _FOUND, headers=HEADERS)
        kept = f"{destination(request.query_params.get('next'))}\n".encode() + flow.to_bytes()
        self.cookies.put(request, response, Cookie.FLOW, self.keys.seal(_PURPOSE, kept), LIFETIME)
        return response

    async def _callback(self, name: str, request: Request) -> Response:
        try:
            response = await self._finish(name, request)
        except RegistryError as error:
            response = refused(self.pages, error)
        # Whatever came of it, the flow is good for once.
        self.cookies.drop(request, response, Cookie.FLOW)
        return response

    async def _finish(self, name: str, request: Request) -> Response:
        kept = self.keys.unseal(_PURPOSE, self.cookies.read(request, Cookie.FLOW) or "")
        if kept is None:
            raise NotSignedIn(reason="this browser has begun no sign-in, or too long ago")
        wanted, _, flow = kept.partition(b"\n")
        identity = await self._ask(name, request, self.providers[name].finish, Flow.from_bytes(flow), request.url.query)
        try:
            user = await self.waiting(self.admission.admit, identity, address(request))
        except NotAdmitted as error:
            self._tell(request, f"{name}: {identity.name}", str(error.detail["reason"]))
            raise
        response = go_to(destination(wanted.decode()))
        await self.sessions.begin(request, response, Caller(user.id, user.name, address=address(request)))
        return response

    async def _ask(self, name: str, request: Request, work: Callable[..., T], *arguments: object) -> T:
        """A provider's answer; what keeps it from us is told to who reads events. Raises: NotSignedIn, ProviderAway."""
        try:
            return await self.waiting(work, *arguments)
        except SignInRefused as error:
            self._tell(request, name, error.reason)
            raise NotSignedIn(reason=str(error).rstrip(".")) from None
        except SourceUnavailable as error:
            self._tell(request, name, error.reason)
            raise ProviderAway from None

    def _tell(self, request: Request, target: str, detail: str) -> None:
        by = replace(self.nobody, address=address(request))
        self.witness.tell(Action.SIGN_IN, by, Outcome.FAILED, target=target, detail=detail)
