"""`auth.sign_in.directory`, with a real directory: who is found, who is believed, and what an answer gives away."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from registry.auth.sign_in.directory import Directory
from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.ldap_connection import Conversation
from registry.auth.sign_in.refusals import PUBLIC, SignInRefused, SourceUnavailable
from registry.auth.sign_in.sources import Secret, Server
from registry.core.facts import ExternalIdentity
from tests.support.directory import BASE, GROUPS, PEOPLE, SERVICE, DirectoryServer
from tests.support.server import free_port
from tests.support.tls import Certificate
from tests.unit.auth.sign_in.conftest import source_at


def test_who_has_name_and_password_is_known_with_all_groups(directory: Directory) -> None:
    found = directory.identify("alice", "wonderland")
    assert found is not None
    assert (found.source, found.name, found.is_admin) == ("directory", "alice", False)
    assert found.groups == {"@team-a", "@admins"}


def test_the_name_is_the_directorys_own_and_not_what_was_typed(directory: Directory) -> None:
    found = directory.identify("ALICE", "wonderland")
    assert found is not None
    assert found.name == "alice"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong"), ("nobody", "wonderland"), ("", "wonderland"), ("alice", "w" * 5000), ("a" * 500, "x"),
        ("alice", "wonderland\0"), ("alice\0", "wonderland"), ("alice", "\ud800"),
    ],
)  # fmt: skip
def test_a_wrong_name_and_a_wrong_password_are_told_alike(directory: Directory, name: str, password: str) -> None:
    assert directory.identify(name, password) is None


@pytest.mark.parametrize("password", ["", "\0", "\0wonderland"])
def test_a_password_that_is_empty_is_refused_before_anybody_is_asked(password: str) -> None:
    """This directory would take it for a bind as nobody, and say yes."""
    assert Directory(source_at(free_port())).identify("alice", password) is None


@pytest.mark.parametrize(("dn", "password"), [("", ""), ("", "wonderland"), (f"uid=alice,{PEOPLE}", "")])
def test_a_bind_as_nobody_proves_nothing(shared: DirectoryServer, dn: str, password: str) -> None:
    source = source_at(shared.ldap)
    with closing(Conversation("directory", source.server, ssl.create_default_context())) as conversation:
        assert not conversation.bind(dn, password)


@pytest.mark.parametrize("name", ["*", "ali*", "alice)(uid=*", "*)(objectClass=*", "alice)(|(uid=*", "{dn}", "\\2a"])
def test_a_name_is_never_read_as_a_filter(directory: Directory, name: str) -> None:
    assert directory.identify(name, "wonderland") is None


def test_an_unknown_name_costs_as_many_binds_as_a_wrong_password(shared: DirectoryServer, directory: Directory) -> None:
    def costs(name: str) -> list[str]:
        before = len(shared.binds())
        assert directory.identify(name, "wrong") is None
        return shared.binds()[before:]

    known, unknown = costs("alice"), costs("nobody")
    assert known == [SERVICE, f"uid=alice,{PEOPLE}"]
    assert len(unknown) == 2
    assert unknown[0] == SERVICE
    assert unknown[1] != costs("nobody")[1]


def test_a_name_that_finds_two_entries_is_nobodys(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, user_filter="(sn={name})"))
    with pytest.raises(SignInRefused, match=PUBLIC) as refused:
        directory.identify("Twin", "christmas")
    assert "more than one entry" in refused.value.reason


def test_an_address_is_not_cut_to_be_a_name(directory: Directory) -> None:
    with pytest.raises(SignInRefused) as refused:
        directory.identify("mallory@example.org", "wonderland")
    assert "'mallory@example.org' cannot be the name of a user" in refused.value.reason


def test_an_entry_without_the_attribute_of_the_name_is_refused_once_its_password_was_right(
    shared: DirectoryServer,
) -> None:
    directory = Directory(source_at(shared.ldap, username_attribute="employeeNumber"))
    assert directory.identify("alice", "wrong") is None
    with pytest.raises(SignInRefused) as refused:
        directory.identify("alice", "wonderland")
    assert "0 values of employeeNumber instead of one" in refused.value.reason


def test_who_is_in_none_of_the_required_groups_is_not_let_in(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, membership=Membership(required=frozenset({"Team A", "none"}))))
    assert directory.identify("alice", "wonderland") is not None
    assert directory.identify("carol", "wrong") is None
    with pytest.raises(SignInRefused, match="none of the groups that may use this registry"):
        directory.identify("carol", "christmas")


def test_who_is_in_a_group_of_administrators_may_administer(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, membership=Membership(admin=frozenset({"admins"}))))
    may = {name: directory.identify(name, word) for name, word in [("bob", "builder"), ("carol", "christmas")]}
    assert {name: found is not None and found.is_admin for name, found in may.items()} == {"bob": True, "carol": False}


def test_groups_are_those_of_now_and_not_of_the_last_time(apart: DirectoryServer) -> None:
    directory = Directory(source_at(apart.ldap))
    assert _groups(directory.identify("alice", "wonderland")) == {"@team-a", "@admins"}
    apart.change(f"dn: cn=admins,{GROUPS}\nchangetype: modify\ndelete: member\nmember: uid=alice,{PEOPLE}\n")
    assert _groups(directory.identify("alice", "wonderland")) == {"@team-a"}


def test_half_of_somebodys_groups_are_never_taken_for_all(directory: Directory) -> None:
    with pytest.raises(SourceUnavailable, match="sizeLimitExceeded"):
        directory.identify("zoe", "many groups")


def test_without_a_base_for_groups_nobody_has_any(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, group_base=None))
    assert _groups(directory.identify("alice", "wonderland")) == frozenset()


def test_the_subject_stays_when_an_entry_is_renamed(apart: DirectoryServer) -> None:
    directory = Directory(source_at(apart.ldap))
    before = directory.identify("alice", "wonderland")
    rename = f"dn: uid=alice,{PEOPLE}\nchangetype: modrdn\nnewrdn: uid=alicia\ndeleteoldrdn: 1\n"
    apart.change(rename)
    after = directory.identify("alicia", "wonderland")
    assert before is not None
    assert after is not None
    assert (before.subject, before.name, after.name) == (after.subject, "alice", "alicia")
    assert BASE not in before.subject


def test_a_password_that_was_changed_counts_at_once(apart: DirectoryServer) -> None:
    directory = Directory(source_at(apart.ldap))
    assert directory.identify("bob", "builder") is not None
    apart.change(f"dn: uid=bob,{PEOPLE}\nchangetype: modify\nreplace: userPassword\nuserPassword: fixer\n")
    assert directory.identify("bob", "builder") is None
    assert directory.identify("bob", "fixer") is not None


@pytest.mark.parametrize("is_ldaps", [True, False], ids=["ldaps", "start_tls"])
def test_a_directory_is_asked_over_tls(shared: DirectoryServer, certificate: Certificate, is_ldaps: bool) -> None:
    directory = Directory(source_at(0, server=_safe(shared, certificate.authority, is_ldaps=is_ldaps)))
    assert directory.identify("alice", "wonderland") is not None
    assert "TLS established" in shared.log()


@pytest.mark.parametrize("is_ldaps", [True, False], ids=["ldaps", "start_tls"])
def test_a_directory_that_nobody_vouches_for_is_told_no_password(
    shared: DirectoryServer, tmp_path: Path, is_ldaps: bool
) -> None:
    stranger = Certificate.make(tmp_path / "stranger")
    directory = Directory(source_at(0, server=_safe(shared, stranger.authority, is_ldaps=is_ldaps)))
    before = shared.binds()
    with pytest.raises(SourceUnavailable, match="certificate verify failed"):
        directory.identify("alice", "wonderland")
    assert shared.binds() == before


def test_a_certificate_for_another_host_is_none(shared: DirectoryServer, certificate: Certificate) -> None:
    server = replace(_safe(shared, certificate.authority, is_ldaps=True), host="127.0.0.2")
    with pytest.raises(SourceUnavailable, match=r"IP address mismatch.*127\.0\.0\.2"):
        Directory(source_at(0, server=server)).identify("alice", "wonderland")


def test_a_directory_that_begins_no_tls_is_told_no_password(apart: DirectoryServer, certificate: Certificate) -> None:
    server = _safe(apart, certificate.authority, is_ldaps=False)
    with pytest.raises(SourceUnavailable):
        Directory(source_at(0, server=server)).identify("alice", "wonderland")
    assert not apart.binds()


def test_a_service_account_that_is_not_known_is_the_operators_trouble(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, bind_password=Secret("outdated secret")))
    with pytest.raises(SourceUnavailable, match="does not take the password of bind_dn") as told:
        directory.identify("alice", "wonderland")
    assert "outdated" not in str(told.value)


def test_the_password_of_the_service_account_may_change_meanwhile(shared: DirectoryServer, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    directory = Directory(source_at(shared.ldap, bind_password=Secret(file=file)))
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        directory.identify("alice", "wonderland")
    file.write_text("service secret\n")
    assert directory.identify("alice", "wonderland") is not None


def test_a_base_that_is_not_there_is_the_operators_trouble(shared: DirectoryServer) -> None:
    directory = Directory(source_at(shared.ldap, user_base="ou=elsewhere,dc=example,dc=org"))
    with pytest.raises(SourceUnavailable, match="noSuchObject"):
        directory.identify("alice", "wonderland")


def test_a_directory_that_is_down_is_said_to_be(apart: DirectoryServer) -> None:
    directory = Directory(source_at(apart.ldap))
    apart.stop()
    with pytest.raises(SourceUnavailable) as told:
        directory.identify("alice", "wonderland")
    assert told.value.source == "directory"
    assert "wonderland" not in str(told.value)


def test_nobody_waits_for_ever_for_a_directory_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = replace(source_at(listener.getsockname()[1]).server, timeout=1)
        began = time.monotonic()
        with pytest.raises(SourceUnavailable):
            Directory(source_at(0, server=server)).identify("alice", "wonderland")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x03\x02\x01\x01", b"0\x84", b"\0" * 64]
)
def test_a_directory_that_talks_nonsense_is_told_in_words(nonsense: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(nonsense)

        thread = Thread(target=babble)
        thread.start()
        server = replace(source_at(listener.getsockname()[1]).server, timeout=2)
        with pytest.raises(SourceUnavailable):
            Directory(source_at(0, server=server)).identify("alice", "wonderland")
        thread.join()


def _safe(directory: DirectoryServer, authority: Path, *, is_ldaps: bool) -> Server:
    port = directory.ldaps if is_ldaps else directory.ldap
    return Server(host="127.0.0.1", port=port, is_ldaps=is_ldaps, start_tls=not is_ldaps, ca=authority, timeout=5)


def _groups(found: ExternalIdentity | None) -> frozenset[str]:
    assert found is not None
    return found.groups
