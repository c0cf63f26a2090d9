"""Directories and providers: one directory for all tests that do not change it for others, a provider for each test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from registry.auth.sign_in.directory import Directory
from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.provider import Provider
from registry.auth.sign_in.sources import LdapSource, Secret, Server
from tests.support.directory import (
    GROUPS,
    MOST_FOUND,
    PEOPLE,
    SERVICE,
    SERVICE_PASSWORD,
    DirectoryServer,
    group,
    person,
)
from tests.support.scripted_provider import ScriptedProvider
from tests.support.tls import Certificate
from tests.unit.auth.sign_in.providers import Clock, provider_of, source_of

ENTRIES = "\n".join(
    [
        person("alice", "wonderland"),
        person("bob", "builder"),
        person("carol", "christmas", surname="Twin"),
        person("dave", "jones", surname="Twin"),
        person("mallory@example.org", "wonderland"),
        person("zoe", "many groups"),
        group("Team A", "alice"),
        group("admins", "alice", "bob"),
        group("others", "carol"),
        *(group(f"g{number}", "zoe") for number in range(MOST_FOUND + 5)),
    ]
)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("directory-tls"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[DirectoryServer]:
    with DirectoryServer(tmp_path_factory.mktemp("directory"), ENTRIES, certificate) as server:
        yield server


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[DirectoryServer]:
    """Without TLS, to be changed and stopped."""
    with DirectoryServer(tmp_path / "apart", ENTRIES) as server:
        yield server


def source_at(port: int, **changes: object) -> LdapSource:
    """A directory at a port of this machine, over plain LDAP, everything else as is usual."""
    source = LdapSource(
        name="directory",
        title="Directory",
        server=Server(host="127.0.0.1", port=port, is_ldaps=False, start_tls=False, ca=None, timeout=5),
        bind_dn=SERVICE,
        bind_password=Secret(SERVICE_PASSWORD),
        user_base=PEOPLE,
        user_filter="(uid={name})",
        username_attribute="uid",
        group_base=GROUPS,
        group_filter="(member={dn})",
        group_attribute="cn",
        membership=Membership(),
    )
    return replace(source, **changes)  # type: ignore[arg-type]  # fields by name


@pytest.fixture
def directory(shared: DirectoryServer) -> Directory:
    return Directory(source_at(shared.ldap))


@pytest.fixture
def theirs() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ours(theirs: ScriptedProvider, clock: Clock) -> Iterator[Provider]:
    with provider_of(source_of(theirs.issuer), clock) as provider:
        yield provider
