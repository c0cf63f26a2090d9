"""`auth.sign_in.identity`: names of others become names of ours, or nothing at all."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.sign_in.identity import Membership, group_name, identity, user_name
from registry.auth.sign_in.refusals import SignInRefused

NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


@pytest.mark.parametrize(
    ("written", "name"), [("alice", "alice"), ("Alice.B-c_d", "alice.b-c_d"), ("7", "7"), ("a" * 64, "a" * 64)]
)
def test_a_name_is_lowered_and_otherwise_kept(written: str, name: str) -> None:
    assert user_name(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "alice ", "alice@example.org", "@devs", "team+ci", "(anonymous)", "anyone", "Anyone", "al..ice",
        "-alice", "alice-", "a" * 65, "al\u212aice", "\u0430lice", "ali\nce", "alice\0", "DOMAIN\\alice", "a/b",
    ],
)  # fmt: skip
def test_a_name_that_is_none_of_ours_is_refused_and_never_made_one(written: str) -> None:
    with pytest.raises(SignInRefused) as refused:
        user_name(written)
    assert refused.value.reason.isprintable()
    assert str(refused.value) == "Your account has a name that no user of this registry can have."


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("devs", "devs"), ("Domain Users", "domain-users"), ("/Team A/devs", "team-a-devs"), ("a::b", "a-b"),
        ("R&D", "r-d"), ("--x--", "x"), ("a.b_c", "a.b_c"),
        ("", None), ("///", None), ("Übung", None), ("a._b", None), ("g" * 65, None),
    ],
)  # fmt: skip
def test_what_stands_between_the_words_of_a_group_becomes_a_hyphen(written: str, name: str | None) -> None:
    assert group_name(written) == name


@given(st.text())
def test_what_comes_of_a_name_is_one_of_ours_or_nothing(written: str) -> None:
    group = group_name(written)
    assert group is None or NAME.fullmatch(group)
    with suppress(SignInRefused):
        assert NAME.fullmatch(user_name(written))


def test_groups_are_required_as_the_source_writes_them() -> None:
    membership = Membership(required=frozenset({"Team A"}))
    assert identity("s", "7", "alice", {"Team A"}, membership).groups == {"@team-a"}
    with pytest.raises(SignInRefused, match="none of the groups that may use this registry"):
        identity("s", "7", "alice", {"team-a", "TEAM A"}, membership)


def test_nobody_administers_by_a_group_that_only_looks_alike() -> None:
    membership = Membership(admin=frozenset({"admins"}))
    assert identity("s", "7", "alice", {"admins"}, membership).is_admin
    assert not identity("s", "7", "alice", {"Admins", "/admins"}, membership).is_admin
    assert not identity("s", "7", "alice", {"admins"}, Membership()).is_admin


@pytest.mark.parametrize("subject", ["", "s" * 1025, "a\nb", "\0"])
def test_a_subject_that_cannot_be_kept_is_refused(subject: str) -> None:
    with pytest.raises(SignInRefused):
        identity("s", subject, "alice", (), Membership())


def test_groups_without_end_are_refused() -> None:
    with pytest.raises(SignInRefused) as refused:
        identity("s", "7", "alice", [f"g{number}" for number in range(4097)], Membership())
    assert "4097 groups are more than 4096" in refused.value.reason
