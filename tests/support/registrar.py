"""Makes people, and says what they may do, in a registry that runs: from another process than its, as the command does.

with registrar(server.data, server.settings) as people:
    login = people.user("alice", "@devs")       # name and secret
    people.grant("@devs", "team/**", "writer")
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from registry.app import opened
from registry.auth.opaque import Opaque
from registry.auth.passwords import Passwords
from registry.config import Settings
from registry.core.accounts import settle
from registry.core.credentials import CredentialService, Made
from registry.core.facts import CredentialKind, Secret
from registry.core.granting import GrantService
from registry.core.patterns import Pattern
from registry.core.people import PeopleService
from registry.core.ports import Metadata
from registry.core.rights import Grant
from tests.support.server import Setting, settings_as_environment

Login = tuple[str, str]
PASSWORD = "correct horse battery"
HOUR = timedelta(hours=1)


@contextmanager
def registrar(data: Path, settings: Mapping[str, Setting]) -> Iterator["Registrar"]:
    """Of the registry that was prepared with these."""
    with opened(Settings.load(environ=settings_as_environment({**settings, "data": data}))) as (metadata, _):
        yield Registrar(metadata)


class Registrar:
    """What it does is seen by the next request, whoever answers that."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self._people = PeopleService(metadata)
        self._grants = GrantService(metadata)
        self._credentials = CredentialService(metadata)
        self._by = settle(metadata, lambda: "never asked for")[0].admin

    def group(self, name: str, *, is_admin: bool = False) -> None:
        self._people.add_group(name, self._by, is_admin=is_admin)

    def user(self, name: str, *groups: str) -> Login:
        """With the password that all of them have."""
        self._people.add_user(name, self._by, password=self._hash)
        for group in groups:
            self._people.join(group, name, self._by)
        return name, PASSWORD

    def robot(self, project: str, name: str, lifetime: timedelta = HOUR) -> Login:
        """With a secret."""
        robot = self._people.add_robot(project, name, self._by, lifetime=lifetime).name
        made = Opaque.generate(CredentialKind.TOKEN)
        self._people.rotate(robot, Made(made.hashed, made.hint), self._by)
        return robot, made.text

    def token(self, name: str, *limits: tuple[str, str]) -> Login:
        """A personal token for an hour, that is good for no more than `limits`: words, and a pattern."""
        made = Opaque.generate(CredentialKind.TOKEN)
        allowed = [Grant("", Pattern.parse(pattern), tuple(words.split(","))) for words, pattern in limits]
        owner = self._people.get(name).id
        hashed = Made(made.hashed, made.hint)
        self._credentials.give(owner, CredentialKind.TOKEN, hashed, self._by, limits=allowed, lifetime=HOUR)
        return name, made.text

    def grant(self, subject: str, pattern: str, *words: str) -> None:
        """In place of what was granted to the subject on this pattern."""
        self._grants.put(subject, pattern, words, self._by)

    def deny(self, subject: str, pattern: str, *words: str) -> None:
        self._grants.put(subject, pattern, words, self._by, denies=True)

    def take_back(self, subject: str, pattern: str) -> None:
        """What was granted on this pattern."""
        self._grants.remove_on(subject, pattern, self._by)

    def leave(self, group: str, name: str) -> None:
        self._people.leave(group, name, self._by)

    def set_password(self, name: str, password: str) -> Login:
        self._people.set_password(name, Passwords().hash(password), self._by)
        return name, password

    def take_password(self, name: str) -> None:
        """From now on it has none."""
        self._people.set_password(name, None, self._by)

    def revoke(self, name: str, kind: CredentialKind = CredentialKind.TOKEN) -> None:
        """Every credential of this kind that it has."""
        for secret in self.secrets(name):
            if secret.kind is kind:
                self.revoke_one(name, secret.uuid)

    def revoke_one(self, name: str, uuid: str) -> None:
        self._credentials.revoke(self._people.get(name).id, uuid, self._by)

    def secrets(self, name: str) -> Sequence[Secret]:
        """What is good by now, newest first."""
        return self._credentials.list(self._people.get(name).id)

    def disable(self, name: str) -> None:
        self._people.disable(name, self._by)

    def expire(self, robot: str) -> None:
        """Now."""
        self._people.change(robot, self._by, lambda each, now: replace(each, expires=now))

    def remove(self, name: str) -> None:
        """For good."""
        self._people.remove(name, self._by)

    @cached_property
    def _hash(self) -> str:
        # Once for all: each costs as long as a hundred requests.
        return Passwords().hash(PASSWORD)
