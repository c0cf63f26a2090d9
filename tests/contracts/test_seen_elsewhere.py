"""What is changed by one worker decides the next request on every other, whatever that one keeps in memory."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from registry.api.held_rights import HeldRights
from registry.auth.opaque import Opaque
from registry.auth.passwords import Passwords
from registry.core.accounts import settle
from registry.core.credentials import CredentialService, Made
from registry.core.facts import Caller, CredentialKind
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.ports import Metadata
from registry.core.rights import Right, Rights
from registry.oci.names import RepositoryName
from tests.contracts.conftest import Database, Worker
from tests.contracts.gates import Gate, gate, new_tokens

APP = RepositoryName("team/app")
PASSWORD = "correct horse"


class Scene:
    """Alice in `@devs`, who may pull by that group; two workers that have just seen her do it, in three ways."""

    def __init__(self, database: Database, gates: ExitStack) -> None:
        passwords, tokens, metadata = Passwords(), new_tokens(), database.metadata
        self.residents = settle(metadata, lambda: "hash")[0]
        self.admin, self.metadata = self.residents.admin, metadata
        self.people, self.grants = PeopleService(metadata), GrantService(metadata)
        self.credentials = CredentialService(metadata)
        self.another = passwords.hash("another")
        self.alice = self.people.add_user("alice", self.admin, password=passwords.hash(PASSWORD)).id
        made = Opaque.generate(CredentialKind.TOKEN)
        self.token = self.credentials.give(self.alice, CredentialKind.TOKEN, Made(made.hashed, made.hint), self.admin)
        self.people.add_group("devs", self.admin)
        self.people.join("@devs", "alice", self.admin)
        self.grant = self.grants.put("@devs", "team/**", ["pull"], self.admin).grant
        self.gates: list[Gate] = [
            gates.enter_context(gate(database, self.residents, passwords, tokens)) for _ in range(2)
        ]
        shown = basic("alice", PASSWORD), basic("alice", made.text)
        self.by_password = [shown[0], self.gates[0].bearer(shown[0])]
        self.by_token = [shown[1], self.gates[1].bearer(shown[1])]

    def answers(self, right: Right, *shown: str | None) -> set[bool | None]:
        """What both workers say to each, twice."""
        return {each.may(header, right, APP) for each in self.gates * 2 for header in shown}


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    with ExitStack() as gates:
        scene = Scene(database, gates)
        assert scene.answers(Right.PULL, *scene.by_password, *scene.by_token) == {True}
        assert scene.answers(Right.PUSH, *scene.by_password, *scene.by_token) == {False}
        assert scene.answers(Right.PULL, None) == {False}
        yield scene


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


TAKEN: dict[str, Callable[[Scene], object]] = {
    "the grant": lambda scene: scene.grants.remove(scene.grant.uuid, scene.admin),
    "the action": lambda scene: scene.grants.put("@devs", "team/**", ["delete"], scene.admin),
    "by a denial to everybody": lambda scene: scene.grants.put("anyone", "**", ["pull"], scene.admin, denies=True),
    "by a denial to the group": lambda scene: scene.grants.put("@devs", "team/*", ["pull"], scene.admin, denies=True),
    "the membership": lambda scene: scene.people.leave("@devs", "alice", scene.admin),
    "the group": lambda scene: scene.people.remove("@devs", scene.admin),
    "the group for a while": lambda scene: scene.people.disable("@devs", scene.admin),
}


@pytest.mark.parametrize("take", TAKEN.values(), ids=TAKEN)
def test_a_right_that_was_taken_away_is_gone(scene: Scene, take: Callable[[Scene], object]) -> None:
    take(scene)
    assert scene.answers(Right.PULL, *scene.by_password, *scene.by_token) == {False}


GIVEN: dict[str, Callable[[Scene], object]] = {
    "to her": lambda scene: scene.grants.put("alice", "team/app", ["push"], scene.admin),
    "to her group": lambda scene: scene.grants.put("@devs", "team/**", ["writer"], scene.admin),
    "to everybody": lambda scene: scene.grants.put("anyone", "**", ["push"], scene.admin),
    "to a group of administrators": lambda scene: scene.people.change(
        "@devs", scene.admin, lambda each, _: replace(each, is_admin=True)
    ),
    "to an administrator": lambda scene: scene.people.change(
        "alice", scene.admin, lambda each, _: replace(each, is_admin=True)
    ),
}


@pytest.mark.parametrize("give", GIVEN.values(), ids=GIVEN)
def test_a_right_that_was_given_is_there(scene: Scene, give: Callable[[Scene], object]) -> None:
    give(scene)
    assert scene.answers(Right.PUSH, *scene.by_password, *scene.by_token) == {True}


def test_a_source_that_names_other_groups_is_heard(scene: Scene) -> None:
    ops = scene.people.add_group("ops", scene.admin)
    scene.grants.put("@ops", "team/**", ["push"], scene.admin)
    for groups, answer in (([ops.id], True), ([], False)):
        scene.metadata.transact(lambda tx, g=groups: tx.people.replace_groups(scene.alice, "ldap", g))  # type: ignore[misc] # a lambda with a default
        assert scene.answers(Right.PUSH, *scene.by_password, *scene.by_token) == {answer}


def test_what_everybody_may_is_there_and_gone_for_who_has_no_name(scene: Scene) -> None:
    given = scene.grants.put("anyone", "team/**", ["pull"], scene.admin)
    assert scene.answers(Right.PULL, None) == {True}
    scene.grants.remove(given.grant.uuid, scene.admin)
    assert scene.answers(Right.PULL, None) == {False}


@pytest.mark.parametrize("end", ["disable", "remove"])
def test_who_is_disabled_or_removed_is_nobody(scene: Scene, end: str) -> None:
    getattr(scene.people, end)("alice", scene.admin)
    assert scene.answers(Right.PULL, *scene.by_password, *scene.by_token) == {None}


def test_who_is_enabled_again_is_who_it_was(scene: Scene) -> None:
    scene.people.disable("alice", scene.admin)
    assert scene.answers(Right.PULL, *scene.by_password, *scene.by_token) == {None}
    scene.people.enable("alice", scene.admin)
    assert scene.answers(Right.PULL, *scene.by_password, *scene.by_token) == {True}


def test_a_token_that_was_taken_back_is_nobody_and_the_password_is_who_it_was(scene: Scene) -> None:
    scene.credentials.revoke(scene.alice, scene.token.uuid, scene.admin)
    assert scene.answers(Right.PULL, *scene.by_token) == {None}
    assert scene.answers(Right.PULL, *scene.by_password) == {True}


def test_a_changed_password_ends_what_the_former_was_shown_for(scene: Scene) -> None:
    scene.people.set_password("alice", scene.another, scene.admin)
    assert scene.answers(Right.PULL, *scene.by_password) == {None}
    assert scene.answers(Right.PULL, *scene.by_token, basic("alice", "another")) == {True}


# Races


class Interrupted:
    """Recognition during which something is changed: before what was granted is read, or before that is handed over."""

    def __init__(self, reader: object, before: Callable[[], object], after: Callable[[], object]) -> None:
        self.reader, self.before, self.after = reader, before, after
        self.reads = 0

    async def rights(self, principal: int) -> Rights:
        self.reads += 1
        if self.reads == 1:
            self.before()
        read: Rights = await self.reader.rights(principal)  # type: ignore[attr-defined] # a reader's
        if self.reads == 1:
            self.after()
        return read


def nothing() -> None:
    pass


@pytest.mark.parametrize("when", ["before", "after"])
def test_rights_that_change_while_they_are_read_are_read_again(metadata: Metadata, worker: Worker, when: str) -> None:
    admin: Caller = settle(metadata, lambda: "hash")[0].admin
    people, grants = PeopleService(metadata), GrantService(metadata)
    alice = people.add_user("alice", admin).id
    given = grants.put("alice", "team/**", ["pull"], admin)

    def take() -> None:
        grants.remove(given.grant.uuid, admin)

    reader = Interrupted(worker.reader, take if when == "before" else nothing, take if when == "after" else nothing)
    held = HeldRights(reader, 0)  # type: ignore[arg-type] # all that is asked of it

    def may() -> bool:
        generation = worker.ask(lambda reader: reader.generation())
        rights = worker.ask(lambda _: held.of(alice, generation))
        return rights.hold(Right.PULL, APP)

    # The request that was under way may have been decided either way; the next one may not.
    assert may() is (when == "after")
    assert [may() for _ in range(3)] == [False] * 3
    # Once more for the new generation, and no more.
    assert reader.reads == 2
