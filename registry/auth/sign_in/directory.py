"""An LDAP directory that knows people and their passwords: search, then bind (RFC 4513, 5.1.3).

service account ── search ──▶ one entry ──▶ bind as it, on another connection ──▶ its groups ──▶ ExternalIdentity
                              none      ──▶ bind as nobody                    ──▶ None
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from registry.auth.sign_in.identity import identity
from registry.auth.sign_in.ldap_connection import Conversation
from registry.auth.sign_in.ldap_entries import Entry, Person, group_filter, person_in, user_attributes, user_filter
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.auth.sign_in.sources import LdapSource
from registry.core.facts import ExternalIdentity

LONGEST_NAME: Final = 256
LONGEST_PASSWORD: Final = 4096


class Directory:
    """One source, for any number of threads; each call has connections of its own and waits for the directory."""

    def __init__(self, source: LdapSource) -> None:
        """Asks nobody yet. Raises: OSError for a `ca` that cannot be read."""
        self.source = source
        self._trust = ssl.create_default_context(cafile=None if source.server.ca is None else str(source.server.ca))

    def identify(self, name: str, password: str) -> ExternalIdentity | None:
        """Whoever has this name and password; None where one of them is wrong, and it takes the same to find out.

        Raises: SignInRefused for somebody who may not be let in, SourceUnavailable.
        """
        if not _can_be(name, LONGEST_NAME) or not _can_be(password, LONGEST_PASSWORD):
            return None
        with self._as_service() as service:
            found = self._find(service, name)
            entry = found[0] if len(found) == 1 else None
            is_right = self._is_right(self._nobody() if entry is None else entry.dn, password)
            if len(found) > 1:
                raise SignInRefused(f"{self.source.name}: {name[:200]!a} finds more than one entry")
            if entry is None or not is_right:
                return None
            person = person_in(entry, self.source)
            groups = self._groups(service, person)
        return identity(self.source.name, person.subject, person.name, groups, self.source.membership)

    def _find(self, service: Conversation, name: str) -> list[Entry]:
        wanted = user_attributes(self.source)
        return service.search(self.source.user_base, user_filter(self.source, name), wanted, most=2)

    def _groups(self, service: Conversation, person: Person) -> frozenset[str]:
        if self.source.group_base is None:
            return frozenset()
        attribute = self.source.group_attribute
        entries = service.search(self.source.group_base, group_filter(self.source, person), [attribute])
        return frozenset(name for entry in entries for name in entry.texts(attribute))

    def _is_right(self, dn: str, password: str) -> bool:
        with closing(self._converse()) as conversation:
            return conversation.bind(dn, password)

    def _nobody(self) -> str:
        """Somebody who is not there, so that an unknown name costs a bind as well."""
        return f"cn={secrets.token_hex(16)},{self.source.user_base}"

    @contextmanager
    def _as_service(self) -> Iterator[Conversation]:
        with closing(self._converse()) as conversation:
            if self.source.bind_dn is not None and not conversation.bind(self.source.bind_dn, self._secret()):
                raise SourceUnavailable(self.source.name, "it does not take the password of bind_dn")
            yield conversation

    def _converse(self) -> Conversation:
        return Conversation(self.source.name, self.source.server, self._trust)

    def _secret(self) -> str:
        try:
            return "" if self.source.bind_password is None else self.source.bind_password.reveal()
        except (OSError, ValueError) as error:
            raise SourceUnavailable(self.source.name, f"the password of bind_dn cannot be read: {error}") from None


def _can_be(text: str, most: int) -> bool:
    """Whether it can be anybody's; with a NUL in it, a server may take it for nothing, and nothing for anonymous."""
    try:
        return 0 < len(text.encode()) <= most and "\0" not in text
    except UnicodeEncodeError:
        return False
