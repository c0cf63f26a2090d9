"""One conversation with an LDAP server: TLS that is verified, a bind, searches; every trouble is SourceUnavailable."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import ldap3
from ldap3.core.exceptions import LDAPException

from registry.auth.sign_in.ldap_entries import Entry
from registry.auth.sign_in.refusals import SourceUnavailable
from registry.auth.sign_in.sources import Server
from registry.client.errors import harmless

SUCCESS: Final = 0
SIZE_LIMIT_EXCEEDED: Final = 4
# No such object, inappropriate authentication, invalid credentials, insufficient rights, unwilling, locked by a policy.
_WRONG: Final = frozenset({32, 48, 49, 50, 53, 19})


class _VerifiedTls(ldap3.Tls):
    """The library compares host names by itself, with code that newer Pythons lack; TLS does so as well, and better."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:  # noqa: ARG002  always done
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=connection.server.host)


class Conversation:
    """A connection that is open and safe, and nobody's so far."""

    def __init__(self, source: str, server: Server, trust: ssl.SSLContext) -> None:
        """Raises: SourceUnavailable."""
        self._source = source
        peer = ldap3.Server(
            server.host,
            server.port,
            use_ssl=server.is_ldaps,
            get_info=ldap3.NONE,
            tls=_VerifiedTls(trust),
            connect_timeout=server.timeout,
            allowed_referral_hosts=[],
        )
        self._connection = ldap3.Connection(
            peer,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            receive_timeout=server.timeout,
        )
        try:
            self._open(server.start_tls)
        except BaseException:
            self.close()
            raise

    def bind(self, dn: str, password: str) -> bool:
        """Whether this is the password of `dn`; neither may be empty, for that would be a bind as nobody."""
        if not dn or not password:
            return False
        connection = self._connection
        # As bytes: as text the library would prepare it, and another password might come of it.
        connection.authentication, connection.user, connection.password = ldap3.SIMPLE, dn, password.encode()
        with self._telling():
            connection.bind(read_server_info=False)
        if self._code() not in {SUCCESS, *_WRONG}:
            raise self._trouble("the bind")
        return self._code() == SUCCESS

    def search(self, base: str, filter_: str, attributes: Sequence[str], most: int = 0) -> list[Entry]:
        """All entries below `base`; of more than `most` so many. Raises: SourceUnavailable, for half an answer too."""
        with self._telling():
            self._connection.search(
                base, filter_, dereference_aliases=ldap3.DEREF_NEVER, attributes=list(attributes), size_limit=most
            )
        if self._code() != SUCCESS and not (most and self._code() == SIZE_LIMIT_EXCEEDED):
            raise self._trouble(f"the search in {base}")
        found: list[Any] = self._connection.response or []
        return [_entry(each) for each in found if each.get("type") == "searchResEntry"]

    def close(self) -> None:
        """Say goodbye, if anybody still listens."""
        with suppress(LDAPException, OSError):
            self._connection.unbind()
        # What could not be opened, or broke, the library leaves to the garbage collector.
        if isinstance(self._connection.socket, socket.socket):
            self._connection.socket.close()

    def _open(self, start_tls: bool) -> None:
        with self._telling():
            self._connection.open(read_server_info=False)
            if start_tls and not self._connection.start_tls(read_server_info=False):
                raise SourceUnavailable(self._source, "it begins no TLS")

    def _code(self) -> int:
        result: Any = self._connection.result
        return int(result["result"]) if result else -1

    def _trouble(self, what: str) -> SourceUnavailable:
        result: Any = self._connection.result or {}
        told = f"{result.get('description')} {result.get('message') or ''}".strip()
        return SourceUnavailable(self._source, f"{what} fails: {harmless(told)}")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except SourceUnavailable:
            raise
        except Exception as error:
            # Beside its own, the library raises whatever the decoding of nonsense has led to.
            raise SourceUnavailable(self._source, harmless(str(error)) or type(error).__name__) from error


def _entry(found: Mapping[str, Any]) -> Entry:
    attributes = {name.lower(): tuple(values) for name, values in found["raw_attributes"].items()}
    return Entry(str(found["dn"]), attributes)
