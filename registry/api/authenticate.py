"""Who asks: a caller recognised by what its `Authorization` holds, and the challenge for one who is not.

Every request looks its credential up again, which costs 10 µs, so that one taken away is gone with the next request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from registry.api.held_rights import HeldRights
from registry.api.last_use import LastUse
from registry.api.messages import Identity, Request
from registry.api.password_checks import PasswordChecks
from registry.api.recognised import Recognised
from registry.auth.basic import BasicCredentials, parse_basic
from registry.auth.opaque import Opaque
from registry.auth.tokens import InvalidToken, VerifiedTokens
from registry.auth.verified import LIFETIME, VerifiedCredentials
from registry.core.access import Demand
from registry.core.accounts import Residents
from registry.core.facts import Action, Caller, Credential, CredentialKind, Outcome
from registry.core.logins import TooManyLogins, source_of
from registry.core.ports import Recognition
from registry.core.refusals import NotAdmitted
from registry.core.rights import Grant
from registry.core.witness import NOBODY, Witness
from registry.oci.errors import Unauthorized

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class BadCredentials(Unauthorized):
    """A name and password that do not go together; which of the two is wrong, nobody learns."""

    message = "incorrect username or password"


class BadToken(Unauthorized):
    """A bearer token that says nothing to us: malformed, expired, or of a credential that is no more."""

    message = "invalid token"


class Authenticator:
    """Recognises callers; `is_open` lets everybody pass as the one who may do everything.

    `always` are grants by the settings, which hold for everybody.
    """

    def __init__(  # noqa: PLR0913  what recognition rests on
        self,
        recognition: Recognition,
        checks: PasswordChecks,
        residents: Residents,
        tokens: VerifiedTokens,
        *,
        is_open: bool,
        always: Sequence[Grant] = (),
        witness: Witness = NOBODY,
        last_use: LastUse | None = None,
    ) -> None:
        self._recognition = recognition
        self._checks = checks
        self._tokens = tokens
        self._verified = VerifiedCredentials()
        self._residents = residents
        self._is_open = is_open
        self._witness = witness
        self._last_use = last_use
        self._rights = HeldRights(recognition, residents.anonymous.principal, always)
        self._recognised = Recognised()

    async def recognise(self, authorization: str | None, address: str = "") -> Identity:
        """Raises: Unauthorized when something is claimed and not proved."""
        if self._is_open:
            return Identity(replace(self._residents.open, address=address))
        if authorization is None:
            return Identity(await self.anonymous(address))
        # Read before whatever it guards.
        version, now = self._recognition.version(), time.time()
        known = self._recognised.find(authorization, address, version, now)
        if known is None:
            known = await self._recognise_anew(authorization, address)
            self._recognised.put(authorization, address, version, known, now)
        return known

    async def _recognise_anew(self, authorization: str, address: str) -> Identity:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return await self._by_token(rest.strip(), address)
        basic = parse_basic(authorization)
        if basic is None:
            raise BadCredentials
        credential = await self.by_password(basic, address)
        return Identity(credential.caller, until=_until(credential, time.time() + LIFETIME))

    async def anonymous(self, address: str = "") -> Caller:
        """The caller without a name."""
        rights = await self._rights.of_anonymous()
        return replace(self._residents.anonymous, rights=rights, address=address)

    async def by_password(self, basic: BasicCredentials, address: str = "") -> Credential:
        """The credential of a name and password, or of a token in its place.

        Raises: BadCredentials, TooManyLogins, Busy, NotAdmitted, DirectoryAway.
        """
        try:
            return await self._proved(basic, address)
        except BadCredentials:
            self.tell_of_failure(basic.username, address)
            raise
        except TooManyLogins as error:
            self.tell_of_failure(basic.username, address, error.message, Outcome.DENIED)
            raise

    def tell_of_failure(self, username: str, address: str, why: str = "", outcome: Outcome = Outcome.FAILED) -> None:
        """Somebody is not who it says, may not be it here, or was not even asked."""
        nobody = replace(self._residents.anonymous, address=address)
        # A secret in the place of a name is told of no more than its owner is shown of it.
        made = Opaque.parse(username)
        target = made.hint if made else username
        self._witness.tell(Action.SIGN_IN, nobody, outcome, target=target, detail=why)

    async def _proved(self, basic: BasicCredentials, address: str) -> Credential:
        made = Opaque.parse(basic.password)
        if made is not None:
            return await self._by_made(basic.username, made, address)
        known = await self._recognition.password(basic.username)
        source = source_of(address)
        if not (known and self._verified.get(source, *basic, known.id, known.version, time.monotonic())):
            if self._checks.directories and (known is None or known.kind is CredentialKind.EXTERNAL):
                known = await self._by_directory(basic, address)
            elif not await self._checks.verify(basic, known, address):
                known = None
            if known is None:
                raise BadCredentials
            self._verified.put(source, *basic, known.id, known.version, time.monotonic())
        return await self._ready(known, address)

    async def _by_directory(self, basic: BasicCredentials, address: str) -> Credential | None:
        """The credential that stands for a directory's password. Raises: NotAdmitted, DirectoryAway."""
        try:
            credential = await self._checks.verify_elsewhere(basic, address)
        except NotAdmitted as refusal:
            self.tell_of_failure(basic.username, address, str(refusal.detail.get("reason", "")))
            raise
        return None if credential is None else await self._recognition.credential(credential)

    async def by_secret(self, secret: str, kind: CredentialKind, address: str = "") -> Credential | None:
        """The credential that is this secret of our own making, if it is of this kind and good by now.

        Raises: TooManyLogins, where it is none and there were too many of those.
        """
        made = Opaque.parse(secret)
        if made is None or made.kind is not kind:
            return None
        known = await self._recognition.hashed(made.hashed)
        if known is None or known.kind is not kind:
            await self._checks.count_secret(address)
            return None
        return await self._ready(known, address)

    async def _by_made(self, username: str, made: Opaque, address: str) -> Credential:
        """A personal token of this user, or the secret of this robot: nothing else that we make is a password."""
        known = await self.by_secret(made.text, CredentialKind.TOKEN, address)
        if known is None or known.caller.name != username:
            raise BadCredentials
        return known

    async def _ready(self, known: Credential, address: str) -> Credential:
        if self._last_use is not None:
            self._last_use.note(known.id)
        rights = await self._rights.of(known.caller.principal, known.generation)
        return replace(known, caller=replace(known.caller, rights=rights, address=address))

    async def hashed(self, password: str) -> str:
        """As a password is kept. Raises: ValueError for what nobody's can be."""
        return await self._checks.hashed(password)

    def close(self) -> None:
        """End the threads."""
        self._checks.close()

    async def _by_token(self, token: str, address: str) -> Identity:
        try:
            claims = self._tokens.verify(token, datetime.now(UTC))
        except InvalidToken:
            raise BadToken from None
        ends = claims.expires.timestamp()
        if claims.credential is None:
            return Identity(await self.anonymous(address), claims.scopes, ends)
        credential = await self._recognition.credential(claims.credential)
        if credential is None or str(credential.caller.principal) != claims.subject:
            raise BadToken
        ready = await self._ready(credential, address)
        return Identity(ready.caller, claims.scopes, _until(ready, ends))


def _until(credential: Credential, ends: float) -> float:
    """When it is to be asked again, whatever happens: its end, or that of what it was shown by."""
    return ends if credential.expires is None else min(ends, credential.expires.timestamp())


@dataclass(frozen=True, slots=True)
class Challenges:
    """`WWW-Authenticate` for a 401: where to fetch a token, and for what (RFC 6750; token specification)."""

    service: str
    public_url: str | None

    def challenge(self, request: Request, demands: Sequence[Demand], error: str | None) -> bytes:
        """One Bearer challenge, which every client understands; Basic is accepted as well without being named."""
        parts = [f'realm="{self._base(request)}/token"', f'service="{self.service}"']
        if demands:
            parts.append(f'scope="{" ".join(map(str, demands))}"')
        if error:
            parts.append(f'error="{error}"')
        return ("Bearer " + ",".join(parts)).encode("ascii", "replace")

    def _base(self, request: Request) -> str:
        if self.public_url:
            return self.public_url.rstrip("/")
        host = request.header(b"host") or ""
        if _HOST.fullmatch(host) is None:
            address, port = request.scope.get("server") or ("localhost", None)
            host = f"{address}:{port}" if port else str(address)
        return f"{request.scope.get('scheme', 'http')}://{host}"
