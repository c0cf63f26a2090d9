"""The file that names sources: TOML becomes `Sources`, or every problem with it is told at once."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.source_keys import LDAP_KEYS, OIDC_KEYS, Address, Key
from registry.auth.sign_in.sources import LdapSource, OidcSource, Secret, Server, Sources
from registry.client.origin import Origin, is_loopback

Source = TypeVar("Source", bound=OidcSource | LdapSource)
Values = Mapping[str, Any]

_TABLES: Final = {"oidc": OIDC_KEYS, "ldap": LDAP_KEYS}


class SourcesError(Exception):
    """A file of sources that cannot be used; `problems` has one line for each reason."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load_sources(file: Path) -> Sources:
    """What the file names; the files that it names itself are there and hold what they should. Raises: SourcesError."""
    try:
        sources = parse_sources(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as wrong:
        raise SourcesError([f"{file}: {_why(wrong)}"]) from None
    except SourcesError as wrong:
        raise SourcesError(f"{file}: {problem}" for problem in wrong.problems) from None
    if problems := [f"{file}: {problem}" for problem in _missing(sources)]:
        raise SourcesError(problems)
    return sources


def parse_sources(text: str) -> Sources:
    """What the text of a file names. Raises: SourcesError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as wrong:
        # It tells the place and never the line, which may hold a secret.
        raise SourcesError([str(wrong).lower()]) from None
    problems = [_unknown(f"table {name}", name, _TABLES) for name in document if name not in _TABLES]
    oidc = list(_parsed(document, "oidc", _oidc_problems, _oidc, problems))
    ldap = list(_parsed(document, "ldap", _ldap_problems, _ldap, problems))
    times = Counter([source.name for source in oidc] + [source.name for source in ldap])
    problems += [f"the name {name} is given {number} times" for name, number in times.items() if number > 1]
    if problems:
        raise SourcesError(problems)
    return Sources(tuple(oidc), tuple(ldap))


def _parsed(
    document: Mapping[str, Any],
    kind: str,
    contradictions: Callable[[Values], Iterator[str]],
    made: Callable[[Values], Source],
    problems: list[str],
) -> Iterator[Source]:
    """The sources of one kind that can be used; `problems` gets what is wrong with the others."""
    tables = document.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append(f"a source is written below [[{kind}]], in two brackets")
        return
    for number, table in enumerate(tables, 1):
        values: dict[str, Any] = {}
        unread = list(_read(table, _TABLES[kind], values))
        found = [*_unknown_keys(table, _TABLES[kind]), *(unread or contradictions(values))]
        problems += [f"[[{kind}]] {_label(table, number)}: {problem}" for problem in found]
        if not found:
            yield made(values)


def _read(table: Mapping[str, object], keys: Mapping[str, Key], values: dict[str, Any]) -> Iterator[str]:
    """Fill `values` with what the table says and what holds without; tells what cannot be used."""
    for name, key in keys.items():
        values[name] = key.default
        if name in table:
            try:
                values[name] = key.parse(table[name])
            except ValueError as wrong:
                yield f"{name}: {wrong}"
        elif key.is_needed:
            yield f"{name} is missing"


def _unknown_keys(table: Mapping[str, object], keys: Mapping[str, Key]) -> Iterator[str]:
    return (_unknown(f"key {name[:80]!a}", name, keys) for name in table if name not in keys)


def _oidc_problems(values: Values) -> Iterator[str]:
    yield from _secret_problems(values, "client_secret")
    origin = Origin.of(values["issuer"])
    if origin.scheme == "http" and not (values["allow_http"] and origin.is_loopback):
        yield "issuer: plain http needs allow_http, and goes to this machine only"


def _ldap_problems(values: Values) -> Iterator[str]:
    address: Address = values["url"]
    if values["bind_dn"] is not None:
        yield from _secret_problems(values, "bind_password")
    elif values["bind_password"] or values["bind_password_file"]:
        yield "bind_dn is missing, and bind_password has nobody's name"
    if address.scheme == "ldaps" and values["start_tls"]:
        yield "start_tls: ldaps begins with TLS and cannot begin it again"
    if address.scheme == "ldap" and not (values["start_tls"] or is_loopback(address.host)):
        yield "url: passwords go to another machine by ldaps, or with start_tls"


def _secret_problems(values: Values, name: str) -> Iterator[str]:
    if (values[name] is None) == (values[f"{name}_file"] is None):
        yield f"one of {name} and {name}_file is needed"


def _oidc(values: Values) -> OidcSource:
    return OidcSource(
        **_of(values, "name", "issuer", "client_id", "scopes", "username_claim", "groups_claim", "ca"),
        title=values["title"] or values["name"],
        client_secret=_secret(values, "client_secret"),
        membership=_membership(values),
    )


def _ldap(values: Values) -> LdapSource:
    address: Address = values["url"]
    return LdapSource(
        **_of(values, "name", "bind_dn", "user_base", "user_filter", "username_attribute"),
        **_of(values, "group_base", "group_filter", "group_attribute"),
        title=values["title"] or values["name"],
        bind_password=None if values["bind_dn"] is None else _secret(values, "bind_password"),
        membership=_membership(values),
        server=Server(
            host=address.host,
            port=address.port,
            is_ldaps=address.scheme == "ldaps",
            **_of(values, "start_tls", "ca", "timeout"),
        ),
    )


def _of(values: Values, *names: str) -> dict[str, Any]:
    return {name: values[name] for name in names}


def _secret(values: Values, name: str) -> Secret:
    return Secret(values[name], values[f"{name}_file"])


def _membership(values: Values) -> Membership:
    return Membership(frozenset(values["required_groups"]), frozenset(values["admin_groups"]))


def _missing(sources: Sources) -> Iterator[str]:
    """What is wrong with the files that sources name."""
    secrets = [(source.name, source.client_secret) for source in sources.oidc]
    secrets += [(source.name, source.bind_password) for source in sources.ldap if source.bind_password]
    for name, secret in secrets:
        try:
            secret.reveal()
        except (OSError, ValueError) as wrong:
            yield f"{name}: {secret.file}: {_why(wrong)}"
    authorities = [(each.name, each.ca) for each in sources.oidc] + [
        (each.name, each.server.ca) for each in sources.ldap
    ]
    yield from (f"{name}: no such file: {ca}" for name, ca in authorities if ca is not None and not ca.is_file())


def _why(wrong: Exception) -> str:
    if isinstance(wrong, OSError):
        return (wrong.strerror or str(wrong)).lower()
    return "it is no text" if isinstance(wrong, UnicodeDecodeError) else str(wrong)


def _label(table: Mapping[str, object], number: int) -> str:
    name = table.get("name")
    return name[:80] if isinstance(name, str) and name.isprintable() and name else f"number {number}"


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"unknown {what}; the nearest known name is {near[0]}"
