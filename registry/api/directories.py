"""Passwords that directories know and we do not: who is asked about a name, and what comes of it.

    a user of a directory   that directory
    a name nobody has       each directory, in their order, until one knows it
    anybody else here       nobody: a local user's password is shown to no directory

All of it waits, for as long as a directory takes: it has threads of its own, which keep nobody else waiting.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from registry.auth.basic import BasicCredentials
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.core.admission import AdmissionService
from registry.core.facts import ExternalIdentity, PrincipalKind
from registry.core.ports import Metadata
from registry.core.principal_names import kind_of
from registry.core.refusals import NotAdmitted
from registry.oci.errors import Unavailable

Identify = Callable[[str, str], ExternalIdentity | None]
"""A directory's answer to a name and a password (`auth/sign_in/directory`)."""

ASKED_AT_ONCE: Final = 4
MOST_ASKING: Final = 32


class DirectoryAway(Unavailable):
    """A directory that may know this account cannot be asked now; accounts of others go on."""

    message = "the directory that may know this account cannot be asked now"


class Directories:
    """All of them, by the names of their sources; every call waits, and belongs in a thread."""

    def __init__(self, metadata: Metadata, directories: Mapping[str, Identify]) -> None:
        self._metadata = metadata
        self._admission = AdmissionService(metadata)
        self._directories = directories

    def __bool__(self) -> bool:
        return bool(self._directories)

    def credential(self, basic: BasicCredentials, address: str) -> int | None:
        """What stands for the password, where some directory says that it is right.

        Raises: NotAdmitted for who may not be let in, DirectoryAway where nobody who was asked says yes, and somebody
        who should be cannot be asked.
        """
        is_away = False
        for name in self._concerned(basic.username):
            try:
                identity = self._directories[name](*basic)
            except SourceUnavailable:
                is_away = True
                continue
            except SignInRefused as refusal:
                raise NotAdmitted(reason=str(refusal).rstrip(".")) from None
            if identity is not None:
                return self._admission.admit_by_password(identity, address)
        if is_away:
            raise DirectoryAway
        return None

    def pretend(self) -> None:
        """Ask about nobody: a wrong password of a local user takes as long as a name that is nobody's."""
        for identify in self._directories.values():
            with suppress(SourceUnavailable, SignInRefused):
                identify(secrets.token_hex(8), secrets.token_hex(8))

    def _concerned(self, name: str) -> list[str]:
        if kind_of(name) is not PrincipalKind.USER:
            return []
        user = self._metadata.observe(lambda tx: tx.people.find(name))
        if user is None:
            return list(self._directories)
        return [user.source] if user.source in self._directories else []
