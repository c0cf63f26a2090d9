"""The rules of what is given out: bounded in number and in time, and told of without a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from registry.core.credentials import MOST_OF_A_KIND, CredentialService, Made
from registry.core.facts import Caller, CredentialKind, Secret
from registry.core.people import PeopleService
from registry.core.refusals import CredentialUnknown, TooManyCredentials, Unfit
from registry.core.rights import parse_limits
from registry.oci.errors import Unauthorized
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder

TOKEN, REFRESH, SESSION = CredentialKind.TOKEN, CredentialKind.REFRESH, CredentialKind.SESSION
HOUR = timedelta(hours=1)
_HASHES = count()


class Safe:
    """Alice's credentials."""

    def __init__(self, house: House) -> None:
        self.house, self.credentials = house, CredentialService(house.metadata)
        self.alice = PeopleService(house.metadata).add_user("alice", house.admin, password="hash of a password").id
        self.by = Caller(self.alice, "alice", address="192.0.2.7")
        house.rows("DELETE FROM event")

    def give(self, kind: CredentialKind = TOKEN, **more: object) -> Secret:
        made = Made(f"hash {next(_HASHES)}", "entp_abcd")
        return self.credentials.give(self.alice, kind, made, self.by, **more)  # type: ignore[arg-type] # as it takes them

    def held(self) -> list[int]:
        return [each.id for each in self.credentials.list(self.alice) if each.kind is not CredentialKind.PASSWORD]

    def told(self) -> list[tuple[object, ...]]:
        events = self.house.rows("SELECT action, target, detail, address FROM event ORDER BY id")
        self.house.rows("DELETE FROM event")
        return events


@pytest.fixture
def safe() -> Iterator[Safe]:
    with quick_folder() as folder, closing(House(folder)) as house:
        yield Safe(house)


def test_what_is_given_out_is_told_of_but_for_what_a_client_keeps(safe: Safe) -> None:
    limits = parse_limits("pull team/**\npush team/app")
    assert limits is not None
    token = safe.give(label="laptop", limits=limits.grants, lifetime=HOUR)
    safe.give(SESSION, label="a browser")
    safe.give(REFRESH, label="docker")
    assert token.expires is not None
    assert (token.expires - token.created, token.limits) == (HOUR, "pull team/**\npush team/app")
    assert (token.hint, token.made_from, token.label) == ("entp_abcd", "192.0.2.7", "laptop")
    assert safe.told() == [
        ("credential.give", "alice", "token laptop", "192.0.2.7"),
        ("credential.give", "alice", "session a browser", "192.0.2.7"),
    ]


@pytest.mark.parametrize("label", ["a\nb", "a\0b", "\x1b[31m", "\u202ea", "x" * 300])
def test_a_label_is_a_line_that_can_be_shown(safe: Safe, label: str) -> None:
    kept = safe.give(label=label).label
    assert kept.isprintable()
    assert len(kept) <= 100
    assert safe.told() == [("credential.give", "alice", f"token {kept}", "192.0.2.7")]


def test_an_end_that_has_passed_is_refused(safe: Safe) -> None:
    with pytest.raises(Unfit):
        safe.give(expires=datetime(2001, 1, 1, tzinfo=UTC))
    assert safe.held() == []


# For another one


@pytest.mark.parametrize(
    ("shown", "given", "ends"), [(None, HOUR, HOUR), (HOUR, 2 * HOUR, HOUR), (2 * HOUR, HOUR, HOUR), (HOUR, None, HOUR)]
)
def test_nothing_outlives_what_was_shown_for_it(
    safe: Safe, shown: timedelta | None, given: timedelta | None, ends: timedelta
) -> None:
    parent = safe.give(lifetime=shown)
    child = safe.give(REFRESH, lifetime=given, parent=parent.id)
    assert child.expires is not None
    assert abs(child.expires - child.created - ends) < timedelta(minutes=1)


def test_nothing_is_to_be_had_for_what_was_taken_back(safe: Safe) -> None:
    parent = safe.give()
    safe.credentials.revoke(safe.alice, parent.uuid, safe.by)
    with pytest.raises(Unauthorized):
        safe.give(REFRESH, parent=parent.id)
    assert safe.held() == []


def test_what_is_taken_back_takes_along_what_was_given_out_for_it(safe: Safe) -> None:
    parent, other = safe.give(label="laptop"), safe.give()
    safe.give(REFRESH, parent=parent.id)
    safe.told()
    safe.credentials.revoke(safe.alice, parent.uuid, safe.by)
    assert safe.held() == [other.id]
    assert safe.told() == [("credential.revoke", "alice", "token laptop", "192.0.2.7")]
    with pytest.raises(CredentialUnknown):
        safe.credentials.revoke(safe.alice, parent.uuid, safe.by)
    assert safe.told() == []


def test_what_is_somebody_elses_is_not_found(safe: Safe) -> None:
    given = safe.give()
    with pytest.raises(CredentialUnknown):
        safe.credentials.revoke(safe.house.admin.principal, given.uuid, safe.by)
    assert safe.held() == [given.id]


def test_a_password_is_not_taken_back_like_a_token(safe: Safe) -> None:
    (password,) = safe.credentials.list(safe.alice)
    with pytest.raises(Unfit):
        safe.credentials.revoke(safe.alice, password.uuid, safe.by)
    assert safe.credentials.list(safe.alice) == [password]


def test_all_that_was_given_out_is_taken_back_at_once(safe: Safe) -> None:
    parent = safe.give()
    safe.give(REFRESH, parent=parent.id)
    safe.give(SESSION)
    safe.told()
    assert [safe.credentials.revoke_all(safe.alice, safe.by) for _ in range(2)] == [3, 0]
    assert safe.held() == []
    assert [each.kind for each in safe.credentials.list(safe.alice)] == [CredentialKind.PASSWORD]
    assert safe.told() == [("credential.revoke", "alice", "all: 3", "192.0.2.7")]


# How many


def test_who_asks_for_too_many_tokens_is_refused(safe: Safe) -> None:
    first = safe.give(lifetime=HOUR)
    for _ in range(MOST_OF_A_KIND - 1):
        safe.give()
    with pytest.raises(TooManyCredentials):
        safe.give()
    # Those that ended by themselves do not count.
    safe.house.rows("UPDATE credential SET expires_at = 1 WHERE id = ?", first.id)
    safe.give()


@pytest.mark.parametrize("kind", [REFRESH, SESSION])
def test_what_piles_up_by_itself_takes_the_place_of_what_was_used_longest_ago(safe: Safe, kind: CredentialKind) -> None:
    first, second = safe.give(kind), safe.give(kind)
    for _ in range(MOST_OF_A_KIND - 2):
        safe.give(kind)
    safe.credentials.note_use([(first.id, datetime.now(UTC) + HOUR)])
    newest = safe.give(kind)
    held = safe.held()
    assert len(held) == MOST_OF_A_KIND
    assert {first.id, newest.id} <= set(held)
    assert second.id not in held


def test_the_latest_of_several_uses_is_noted(safe: Safe) -> None:
    given, now = safe.give(), datetime.now(UTC)
    safe.credentials.note_use([])
    safe.credentials.note_use([(given.id, now)])
    safe.credentials.note_use([(given.id, now - HOUR)])
    assert [each.used for each in safe.credentials.list(safe.alice) if each.id == given.id] == [now]
