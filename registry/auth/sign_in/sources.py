"""The sources that an operator has named, as values; to hold one is to know that its text can be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from registry.auth.sign_in.identity import Membership

_LONGEST_SECRET: Final = 4096


@dataclass(frozen=True, slots=True)
class Secret:
    """Told in the settings, or lying in a file, which is read each time: whoever changes it restarts nothing."""

    text: str | None = field(default=None, repr=False)
    file: Path | None = None

    def reveal(self) -> str:
        """The secret itself; of a file its last newline is no part. Raises: OSError, ValueError."""
        if self.file is None:
            return self.text or ""
        with self.file.open("rb") as file:
            text = file.read(_LONGEST_SECRET + 1).decode().removesuffix("\n").removesuffix("\r")
        if not 0 < len(text) <= _LONGEST_SECRET:
            raise ValueError(f"{self.file}: a secret has 1 to {_LONGEST_SECRET} characters")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSource:
    """A provider of OpenID Connect; `title` is what its button says. The endpoints come from its issuer."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...]
    username_claim: str
    groups_claim: str
    membership: Membership
    ca: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a directory listens, and how the way there is made safe: TLS from the start, or begun by StartTLS."""

    host: str
    port: int
    is_ldaps: bool
    start_tls: bool
    ca: Path | None
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSource:
    """A directory, and how people and their groups are found in it; without `group_base` nobody has groups.

    In the filters stand `{name}` (what was typed, or for groups what the entry says) and `{dn}`. Without `bind_dn`
    the directory is searched anonymously.
    """

    name: str
    title: str
    server: Server
    bind_dn: str | None
    bind_password: Secret | None
    user_base: str
    user_filter: str
    username_attribute: str
    group_base: str | None
    group_filter: str
    group_attribute: str
    membership: Membership


@dataclass(frozen=True, slots=True)
class Sources:
    """All of them, in the order in which they were written; no two have the same name."""

    oidc: tuple[OidcSource, ...] = ()
    ldap: tuple[LdapSource, ...] = ()
