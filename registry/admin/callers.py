"""Who asks to administer: by name and password, by a personal token, or by a browser's session.

Authorization: Basic name:password     Basic name:entp_…     Bearer entp_…

A bearer token of the token service is none of these: it was issued to pull and push, often to a machine that builds
what strangers send it, and whoever finds one must not become able to add users.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from registry.auth.basic import BasicCredentials
from registry.core.facts import Caller, Credential, CredentialKind
from registry.core.refusals import Unfit
from registry.oci.errors import Denied, Unauthorized

Scope = MutableMapping[str, Any]
BySession = Callable[[Scope], Awaitable[Caller | None]]
"""Who a browser's cookie stands for, given with what proves that a page of ours sends it; None without a cookie."""

SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
_ELSEWHERE: Final = ("cross-site", "same-site")


class NotForAdministration(Unauthorized):
    """A bearer token that is no personal token, or one that is good no more."""

    message = "administration takes a name and password, or a personal token"


class Recognised(Protocol):
    """What is known of who asks."""

    @property
    def caller(self) -> Caller: ...


class Recognises(Protocol):
    """What verifies what callers show (`registry/api/authenticate.py`)."""

    async def recognise(self, authorization: str | None, address: str = "") -> Recognised:
        """Raises: Unauthorized, Busy."""
        ...

    async def by_password(self, basic: BasicCredentials, address: str = "") -> Credential:
        """Raises: Unauthorized, Busy."""
        ...

    async def by_secret(self, secret: str, kind: CredentialKind, address: str = "") -> Credential | None:
        """Raises: Busy."""
        ...

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: ValueError for what nobody's can be."""
        ...


@dataclass(frozen=True, slots=True)
class Callers:
    """Recognises and counts them; `by_session` is asked where nothing else is shown."""

    recognises: Recognises
    count: Callable[[Caller], None]
    """Raises: Busy, for who asks too often."""
    by_session: BySession | None = None

    async def of(self, scope: Scope) -> Caller:
        """Somebody with a name. Raises: Unauthorized, Denied, Busy."""
        _refuse_elsewhere(scope)
        shown = _header(scope, b"authorization")
        caller = await self._shown(scope, shown)
        self.count(caller)
        if caller.is_anonymous:
            raise Unauthorized if shown is None else NotForAdministration
        return caller

    async def proves(self, caller: Caller, password: str) -> bool:
        """Whether this is the caller's own password. Raises: Busy."""
        try:
            known = await self.recognises.by_password(BasicCredentials(caller.name, password), caller.address)
        except Unauthorized:
            return False
        # A personal token stands for a password elsewhere, and must not do so where that is changed.
        return known.kind is CredentialKind.PASSWORD

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: Unfit."""
        try:
            return await self.recognises.hashed(password)
        except ValueError as error:
            raise Unfit(reason=str(error)) from None

    async def _shown(self, scope: Scope, shown: str | None) -> Caller:
        address = _address(scope)
        if shown is None:
            by_session = await self.by_session(scope) if self.by_session else None
            return by_session or (await self.recognises.recognise(None, address)).caller
        scheme, _, secret = shown.partition(" ")
        if scheme.lower() != "bearer":
            return (await self.recognises.recognise(shown, address)).caller
        known = await self.recognises.by_secret(secret.strip(), CredentialKind.TOKEN, address)
        return known.caller if known else (await self.recognises.recognise(None, address)).caller


def _refuse_elsewhere(scope: Scope) -> None:
    """A browser sends a password that it remembers along with whatever other sites make it send (CSRF)."""
    if scope["method"] not in SAFE and _header(scope, b"sec-fetch-site") in _ELSEWHERE:
        raise Denied(reason="sent by a page of another site")


def _header(scope: Scope, name: bytes) -> str | None:
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if values else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
