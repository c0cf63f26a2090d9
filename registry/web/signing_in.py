"""Signing in and out: a form for names and passwords, whoever knows them, and a button for each provider.

GET  /login    the form, with a mark for this browser's cookie
POST /login    name and password ──▶ a session, and on to where it was asked for
POST /logout   the session ends
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from registry.auth.basic import CONTROL, BasicCredentials
from registry.auth.browser_keys import BrowserKeys
from registry.core.facts import Credential, CredentialKind
from registry.oci.errors import RegistryError, Unauthorized
from registry.web.cookies import Cookie, Cookies
from registry.web.destinations import HOME, destination
from registry.web.forms import MARK, Origins, demand_mark, read_form
from registry.web.refusals import guarded, owing, sentence, status_of
from registry.web.rendering import HEADERS, Pages
from registry.web.sessions import Recogniser, Sessions, address

SEE_OTHER: Final = 303
_FORM_LIFETIME: Final = timedelta(hours=1)
# Not what was made to be used by a program, which may be limited: a session is not.
_OF_PEOPLE: Final = frozenset({CredentialKind.PASSWORD, CredentialKind.EXTERNAL})
_LONGEST: Final = 4096


class WrongPassword(Unauthorized):
    """A name and password that nobody can have."""

    message = "incorrect username or password"


class OfAProgram(Unauthorized):
    """A token, or the secret of a robot: right, and not what a person signs in with."""

    message = "tokens are for programs: sign in with your password"


@dataclass(frozen=True, slots=True)
class Button:
    """A provider of sign-ins, as the page offers it."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class SigningIn:
    """The pages for who is nobody so far."""

    pages: Pages
    recogniser: Recogniser
    sessions: Sessions
    keys: BrowserKeys
    cookies: Cookies
    origins: Origins
    buttons: Sequence[Button] = ()

    def routes(self) -> list[Route]:
        """Their paths."""
        return [
            Route("/login", guarded(self.pages, self._form), methods=["GET"]),
            Route("/login", guarded(self.pages, self._sign_in), methods=["POST"]),
            Route("/logout", guarded(self.pages, self._sign_out), methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        wanted = destination(request.query_params.get("next"))
        if await self.sessions.find(request) is not None:
            return go_to(wanted)
        response = self._shown(request, wanted)
        if self.cookies.read(request, Cookie.SESSION):
            # It has ended: to show it again would count as guessing.
            self.cookies.drop(request, response, Cookie.SESSION)
        return response

    async def _sign_in(self, request: Request) -> Response:
        self.origins.demand_own(request)
        fields = await read_form(request)
        demand_mark(fields, self.keys, self.cookies.read(request, Cookie.FORM))
        wanted, name = destination(fields.get("next")), fields.get("username", "").strip()
        try:
            known = await self._recognised(name, fields.get("password", ""), address(request))
        except RegistryError as error:
            return self._shown(request, wanted, name, error)
        response = go_to(wanted)
        await self.sessions.begin(request, response, known.caller)
        self.cookies.drop(request, response, Cookie.FORM)
        return response

    async def _sign_out(self, request: Request) -> Response:
        signed_in = await self.sessions.find(request)
        response = go_to("/login")
        if signed_in is not None:
            self.origins.demand_own(request)
            demand_mark(await read_form(request), self.keys, signed_in.secret)
            await self.sessions.end(request, response, signed_in)
        return response

    async def _recognised(self, name: str, password: str, where: str) -> Credential:
        """Raises: Unauthorized, and whatever keeps somebody from being told who it is."""
        if len(name) > _LONGEST or len(password) > _LONGEST or ":" in name or CONTROL.search(name + password):
            # What no client could say by Basic (RFC 7617, 2) is nobody's.
            raise WrongPassword
        known = await self.recogniser.by_password(BasicCredentials(name, password), where)
        if known.kind not in _OF_PEOPLE:
            raise OfAProgram
        return known

    def _shown(self, request: Request, wanted: str, name: str = "", error: RegistryError | None = None) -> Response:
        # The cookie is not changed where there is one: the same form may be open twice.
        secret = self.cookies.read(request, Cookie.FORM) or secrets.token_urlsafe(32)
        response = self.pages.show_form(
            "login.html",
            status_of(error) if error else 200,
            mark=(MARK, self.keys.mark(secret)),
            next=wanted,
            username=name[:200],
            error=sentence(error) if error else None,
            buttons=self.buttons,
        )
        self.cookies.put(request, response, Cookie.FORM, secret, _FORM_LIFETIME)
        return owing(error, response) if error else response


def go_to(path: str) -> Response:
    """Have the browser ask for this page of ours next, by GET."""
    return RedirectResponse(path, SEE_OTHER, headers=HEADERS)


def ask_to_sign_in(request: Request) -> Response:
    """Have it sign in, and come back."""
    came_for = request.url.path if request.method == "GET" else HOME
    return go_to(f"/login?next={quote(came_for)}")
