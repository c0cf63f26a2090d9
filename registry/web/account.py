"""One's own account: who one is here, what one may do, one's password, and what was given out in one's name.

GET  /account            all of it
POST /account/password   another password; every other browser is signed out
POST /account/tokens     a personal token, shown this once
POST /account/revoke     a token, a session or a client's login taken back
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from registry.auth.basic import BasicCredentials
from registry.auth.browser_keys import BrowserKeys
from registry.auth.giving import give_new
from registry.core.credentials import CredentialService
from registry.core.facts import Caller, CredentialKind
from registry.core.people import PeopleService
from registry.core.refusals import CredentialUnknown, TooManyCredentials
from registry.oci.errors import RegistryError, Unauthorized
from registry.web.account_view import SHOWN, AccountView
from registry.web.address import Address
from registry.web.forms import MARK, Origins, demand_mark, read_form
from registry.web.refusals import guarded, sentence, status_of
from registry.web.rendering import Pages
from registry.web.sessions import InThread, Recogniser, Sessions, SignedIn, address
from registry.web.signing_in import ask_to_sign_in, go_to
from registry.web.token_wish import LIFETIMES, USES, USUAL_LIFETIME, TokenWish, WishInvalid

SHORTEST_PASSWORD: Final = 8
_SAID: Final = {
    "password": "Your password was changed, and every other browser was signed out.",
    "revoked": "It was taken back, and is of no use any more.",
}
"""What a page says of what was done before it; a word in its address chooses."""

Handler = Callable[[Request, SignedIn, dict[str, str]], Awaitable[Response]]


class PasswordUnchanged(RegistryError):
    """A password that cannot be taken for another; `detail` says why."""

    status, message = 422, "your password was not changed"


@dataclass(frozen=True, slots=True)
class Account:
    """The pages for who has signed in."""

    pages: Pages
    recogniser: Recogniser
    sessions: Sessions
    people: PeopleService
    credentials: CredentialService
    in_thread: InThread
    keys: BrowserKeys
    origins: Origins
    public_url: str | None = None

    def routes(self) -> list[Route]:
        """Their paths."""
        return [
            Route("/account", guarded(self.pages, self._get), methods=["GET"]),
            Route("/account/password", guarded(self.pages, self._form(self._password)), methods=["POST"]),
            Route("/account/tokens", guarded(self.pages, self._form(self._token)), methods=["POST"]),
            Route("/account/revoke", guarded(self.pages, self._form(self._revoke)), methods=["POST"]),
        ]

    async def _get(self, request: Request) -> Response:
        signed_in = await self.sessions.find(request)
        if signed_in is None:
            return ask_to_sign_in(request)
        return await self._shown(signed_in, said=_SAID.get(request.query_params.get("said", "")))

    def _form(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Hand on a form that this very browser was given, while it is signed in."""

        async def received(request: Request) -> Response:
            signed_in = await self.sessions.find(request)
            if signed_in is None:
                return ask_to_sign_in(request)
            self.origins.demand_own(request)
            fields = await read_form(request)
            demand_mark(fields, self.keys, signed_in.secret)
            return await handler(request, signed_in, fields)

        return received

    async def _password(self, request: Request, signed_in: SignedIn, fields: dict[str, str]) -> Response:
        try:
            by = await self._changed(request, signed_in.caller, fields)
        except RegistryError as error:
            return await self._shown(signed_in, error=error)
        response = go_to("/account?said=password")
        await self.sessions.begin(request, response, by)
        return response

    async def _changed(self, request: Request, caller: Caller, fields: dict[str, str]) -> Caller:
        """Whoever has shown the present password has the new one from now on. Raises: RegistryError."""
        new = fields.get("new", "")
        if len(new) < SHORTEST_PASSWORD:
            raise PasswordUnchanged(reason=f"at least {SHORTEST_PASSWORD} characters are needed")
        if new != fields.get("again"):
            raise PasswordUnchanged(reason="the new one was not the same both times")
        try:
            basic = BasicCredentials(caller.name, fields.get("current", ""))
            known = await self.recogniser.by_password(basic, address(request))
            hashed = await self.recogniser.hashed(new)
        except Unauthorized:
            raise PasswordUnchanged(reason="the present one is not right") from None
        except ValueError as error:
            raise PasswordUnchanged(reason=str(error)) from None
        if known.kind is not CredentialKind.PASSWORD:
            raise PasswordUnchanged(reason="the present one is not right")
        given = await self.in_thread(self.people.set_password, caller.name, hashed, caller)
        return replace(caller, credential=given.id if given else None)

    async def _token(self, request: Request, signed_in: SignedIn, fields: dict[str, str]) -> Response:
        caller = signed_in.caller
        try:
            wish = TokenWish.parse(fields)
            give = partial(
                give_new,
                self.credentials,
                caller.principal,
                caller,
                kind=CredentialKind.TOKEN,
                label=wish.label,
                limits=wish.limits,
                lifetime=wish.lifetime,
            )
            text, _ = await self.in_thread(give)
        except (WishInvalid, TooManyCredentials) as error:
            return await self._shown(signed_in, error=error)
        host = Address.of(self.public_url, request.url.scheme, request.headers.get("host", "")).host
        return self.pages.show("token.html", label=wish.label, token=text, name=caller.name, host=host)

    async def _revoke(self, _: Request, signed_in: SignedIn, fields: dict[str, str]) -> Response:
        caller, uuid = signed_in.caller, fields.get("uuid", "")
        # A password is not among them: it is changed, not taken back.
        listed = await self.in_thread(self.credentials.list, caller.principal)
        if not any(each.uuid == uuid and each.kind in SHOWN for each in listed):
            raise CredentialUnknown
        await self.in_thread(self.credentials.revoke, caller.principal, uuid, caller)
        return go_to("/account?said=revoked")

    async def _shown(
        self, signed_in: SignedIn, *, said: str | None = None, error: RegistryError | None = None
    ) -> Response:
        view = await self.in_thread(self._view, signed_in.caller)
        return self.pages.show_form(
            "account.html",
            status_of(error) if error else 200,
            account=view,
            mark=(MARK, self.keys.mark(signed_in.secret)),
            said=said,
            error=sentence(error) if error else None,
            lifetimes=LIFETIMES,
            usual_lifetime=USUAL_LIFETIME,
            uses=USES,
            shortest_password=SHORTEST_PASSWORD,
        )

    def _view(self, caller: Caller) -> AccountView:
        user, groups = self.people.get(caller.name), self.people.groups_of(caller.name)
        return AccountView.of(caller, user, groups, self.credentials.list(caller.principal))
