"""What is asked of a directory, and how its entries are read; pure, but for the library's way of escaping."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ldap3.utils.conv import escape_filter_chars

from registry.auth.sign_in.refusals import SignInRefused
from registry.auth.sign_in.sources import LdapSource

# What stays when an entry is renamed: RFC 4530, and the same of Active Directory, whose first bytes are reversed.
_UUID, _GUID = "entryUUID", "objectGUID"
_HOLE: Final = re.compile(r"\{(name|dn)\}")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a search finds; the names of attributes in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def texts(self, attribute: str) -> list[str]:
        """All values of an attribute that are text."""
        values = self.attributes.get(attribute.lower(), ())
        return [value.decode() for value in values if _is_text(value)]


@dataclass(frozen=True, slots=True)
class Person:
    """An entry as somebody who can be signed in."""

    dn: str
    subject: str
    name: str


def user_filter(source: LdapSource, typed: str) -> str:
    """Finds the entry of whoever typed this name."""
    return _filled(source.user_filter, name=typed)


def group_filter(source: LdapSource, person: Person) -> str:
    """Finds the groups of somebody."""
    return _filled(source.group_filter, name=person.name, dn=person.dn)


def user_attributes(source: LdapSource) -> list[str]:
    """What is asked for of an entry."""
    return [source.username_attribute, _UUID, _GUID]


def person_in(entry: Entry, source: LdapSource) -> Person:
    """Whose entry it is. Raises: SignInRefused."""
    names = entry.texts(source.username_attribute)
    if len(names) != 1:
        told = f"{len(names)} values of {source.username_attribute} instead of one"
        raise SignInRefused(f"{source.name}: {entry.dn[:200]!a} has {told}")
    return Person(entry.dn, _subject(entry), names[0])


def _subject(entry: Entry) -> str:
    guids = entry.attributes.get(_GUID.lower(), ())
    if len(guids) == 1 and len(guids[0]) == 16:  # noqa: PLR2004  bytes of a GUID
        return str(uuid.UUID(bytes_le=bytes(guids[0])))
    uuids = entry.texts(_UUID)
    return uuids[0] if len(uuids) == 1 else entry.dn


def _filled(template: str, **values: str) -> str:
    """In one pass: what is filled in is never read as a hole again."""
    return _HOLE.sub(lambda hole: escape_filter_chars(values.get(hole[1], hole[0])), template)


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False
