"""The scene of the matrix: one registry, two projects for each shape of grants, and everybody who may ask.

shape "owner, but push"   ──▶   s7/app   its grants are given to each who can be named: a user, a group, robots, …
                                a7/app   the same grants are given to `anyone`
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from registry.app import create_app
from registry.config import Settings
from tests.support.images import Blob, TinyIndex, index
from tests.support.inprocess import Asked, InProcessTransport, in_process
from tests.support.registrar import PASSWORD, Registrar, registrar
from tests.support.rights_oracle import Asker, Given, Opinion, Ticket
from tests.support.server import Setting, settings_as_environment

NAMED = ("alice", "@crew", "ci+bot", "ci+old", "gone")
PRIVATE = "private/source"
# Thousands of requests by those who are let in no more are no attack here.
_PATIENT: Mapping[str, Setting] = {"login_attempts": 10_000, "login_attempts_source": 100_000}
_ALL = frozenset({"pull", "push", "delete"})
BLOB = Blob(b"a blob that several repositories hold")
FIRST, SECOND = index(annotations={"number": "1"}), index(annotations={"number": "2"})

APP = "{n}/app"
_WORDS = ("pull", "create", "push", "move", "delete", "admin")
_PRESETS = ("reader", "creator", "writer", "maintainer", "owner")
# What is said of the project `n`: pattern, words; with `but` before them when they are denied.
SHAPES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nothing": (),
    **{each: ((APP, each),) for each in (*_WORDS, *_PRESETS, "pull,move", "pull,delete", "reader,delete")},
    **{f"owner, but {each}": (("{n}/**", "owner"), (APP, f"but {each}")) for each in _WORDS},
    "a wider denial": ((APP, "owner"), ("{n}/**", "but push")),
    "a denial by a star": ((APP, "owner"), ("{n}/*", "but delete")),
    "a denial of something else": ((APP, "owner"), ("{n}/other", "but owner"), ("{n}/app/**", "but owner")),
    "a denial of what nobody allowed": ((APP, "but pull"),),
    "three that add up": ((APP, "pull"), ("{n}/a*", "create"), ("{n}/**", "delete")),
    "literal, miss": (("{n}/ap", "owner"), ("{n}/app2", "owner"), ("{n}", "owner")),
    "star, hit": (("{n}/a*", "maintainer"),),
    "star in front, hit": (("{n}/*p", "maintainer"),),
    "star for nothing, hit": (("{n}/app*", "maintainer"),),
    "star, miss": (("{n}/b*", "maintainer"), ("{n}/*pa", "maintainer")),
    "star within one component": (("{n}*", "maintainer"), ("{n}/*/app", "maintainer")),
    "deep, hit": (("{n}/**", "maintainer"),),
    "deep, miss": (("{n}/app/**", "maintainer"),),
}


@dataclass(frozen=True)
class Person:
    """Somebody as the oracle knows it, and how it signs in: name and secret."""

    asker: Asker
    login: tuple[str, str] | None = None
    label: str = ""

    @property
    def basic(self) -> str | None:
        """Its `Authorization` where it comes without a bearer token."""
        return None if self.login is None else "Basic " + b64encode(":".join(self.login).encode()).decode()


@dataclass(frozen=True)
class Visitor:
    """A person and the way it came: with `ticket` None by its own credential, else by a bearer token."""

    person: Person
    authorization: str | None
    ticket: Ticket | None
    label: str


@dataclass
class Scene:
    """A registry, everybody who may ask, and what the oracle makes of all that was granted."""

    transport: InProcessTransport
    people: list[Person]
    opinion: Opinion
    projects: Mapping[str, tuple[str, str]]
    _of_the_dead: dict[tuple[str, str], str] = field(default_factory=dict)
    _visitors: dict[str, list[Visitor]] = field(default_factory=dict)

    @property
    def repositories(self) -> list[str]:
        """All that hold something."""
        return [f"{project}/app" for both in self.projects.values() for project in both] + [PRIVATE]

    @property
    def missing(self) -> str:
        """A repository that is not there, as long and as unspoken of as the one beside it that is."""
        return f"{self.projects['nothing'][0]}/apq"

    @property
    def admin(self) -> Person:
        """The administrator of the first start."""
        return next(each for each in self.people if each.login and each.login[0] == "admin")

    def visitors(self, repository: str) -> list[Visitor]:
        """Everybody in every way: plainly, and by tokens that were asked for all, too little, nothing, or elsewhere."""
        if repository not in self._visitors:
            self._visitors[repository] = list(self._arrive(repository))
        return self._visitors[repository]

    def _arrive(self, repository: str) -> Iterator[Visitor]:
        for person in self.people:
            yield Visitor(person, person.basic, None, person.label)
            for label, ticket in _tickets(person.asker, repository).items():
                token = self._token(person, repository, ticket)
                yield Visitor(person, f"Bearer {token}", ticket, f"{person.label}, token for {label}")

    def _token(self, person: Person, repository: str, ticket: Ticket) -> str:
        """A bearer token that was asked for just that; of the dead, from when they lived."""
        known = self._of_the_dead.get((person.label, repository))
        return known or fetch_token(self.transport, person, ticket)

    def remember_tokens(self, dying: list[Person]) -> None:
        """What they can still show when they are disabled or have expired."""
        for person in dying:
            for repository in (*self.repositories, self.missing):
                ticket = Ticket({repository: _ALL}, catalog=True)
                self._of_the_dead[person.label, repository] = fetch_token(self.transport, person, ticket)


def _tickets(asker: Asker, repository: str) -> Mapping[str, Ticket]:
    """What a token is asked for; fewer kinds where the credential's limits or its end decide anyway."""
    everything = {"all": Ticket({repository: _ALL, PRIVATE: frozenset({"pull"})}, catalog=True)}
    if asker.limits or asker.is_dead:
        return everything
    # A token that lacks the source of a mount matters to who may read that.
    alone = {"this alone": Ticket({repository: _ALL})} if asker.is_admin else {}
    return {
        **everything,
        **alone,
        "pull": Ticket({repository: frozenset({"pull"})}),
        "another": Ticket({f"{repository}2": _ALL}),
        "nothing": Ticket({}),
    }


def fetch_token(transport: InProcessTransport, person: Person, ticket: Ticket) -> str:
    """From the token service, as docker does it."""
    scopes = [f"repository:{name}:{','.join(sorted(actions))}" for name, actions in ticket.actions.items()]
    scopes += ["registry:catalog:*"] if ticket.catalog else []
    query = urlencode({"service": "entrepot", "scope": scopes}, doseq=True)
    (told,) = transport.ask([Asked("GET", f"/token?{query}", person.basic)])
    assert told.status == 200, told
    return str(json.loads(told.body)["token"])


@contextmanager
def rights_scene(data: Path, shapes: Iterable[str] = SHAPES, **settings: Setting) -> Iterator[Scene]:
    """A registry where all of this stands."""
    quiet: Mapping[str, Setting] = {"admin_password": PASSWORD, "log_level": "warning", "access_log": False}
    wanted = {"data": data, **quiet, **_PATIENT, **settings}
    configuration = Settings.load(environ=settings_as_environment(wanted))
    with in_process(create_app(configuration)) as transport, registrar(data, wanted) as people:
        projects = {shape: (f"s{number}", f"a{number}") for number, shape in enumerate(shapes)}
        scene = Scene(transport, _everybody(people), Opinion(_granted(people, projects)), projects)
        _push(scene)
        dying = [each for each in scene.people if each.asker.is_dead]
        scene.remember_tokens(dying)
        _end(people, dying)
        yield scene


def _everybody(people: Registrar) -> list[Person]:
    """Every kind of principal; who is to die lives until `_end`."""
    for group, is_admin in (("@crew", False), ("@chiefs", True), ("@others", False)):
        people.group(group, is_admin=is_admin)
    alice, gone = _user(people, "alice", "@others"), _user(people, "gone", "@crew")
    admin = Person(Asker("admin", is_admin=True), ("admin", PASSWORD), "admin")
    chief = _user(people, "chief", "@chiefs")
    return [
        Person(Asker("anyone", is_anonymous=True), None, "anonymous"),
        _user(people, "stranger"),
        alice,
        _user(people, "mate", "@crew"),
        _robot(people, "bot"),
        admin,
        replace(chief, asker=replace(chief.asker, is_admin=True)),
        _limited(people, alice, "reader", "**"),
        _limited(people, alice, "creator", "*/app"),
        _limited(people, alice, "owner", "elsewhere/**"),
        _limited(people, admin, "creator", "*/a*"),
        _dying(_robot(people, "old")),
        _dying(_limited(people, gone, "owner", "**")),
    ]


def _user(people: Registrar, name: str, *groups: str) -> Person:
    return Person(Asker(name, frozenset(groups)), people.user(name, *groups), name)


def _robot(people: Registrar, name: str) -> Person:
    login = people.robot("ci", name)
    return Person(Asker(login[0]), login, login[0])


def _limited(people: Registrar, person: Person, words: str, pattern: str) -> Person:
    """The same with a personal token that is for less."""
    login = people.token(person.asker.name, (words, pattern))
    return Person(replace(person.asker, limits=((words, pattern),)), login, f"{login[0]}, only {words} {pattern}")


def _dying(person: Person) -> Person:
    return replace(person, asker=replace(person.asker, is_dead=True), label=f"dead {person.label}")


def _end(people: Registrar, dying: list[Person]) -> None:
    """Robots expire, users are disabled."""
    for person in dying:
        end = people.expire if "+" in person.asker.name else people.disable
        end(person.asker.name)


def _granted(people: Registrar, projects: Mapping[str, tuple[str, str]]) -> list[Given]:
    """Each shape, in one project to all who can be named, in the other to anyone."""
    given = [
        each
        for shape, (named, public) in projects.items()
        for subject, project in (*((name, named) for name in NAMED), ("anyone", public))
        for each in _spelt(shape, subject, project)
    ]
    for subject, pattern, words, denies in given:
        say = people.deny if denies else people.grant
        say(subject, pattern, *words)
    return given


def _spelt(shape: str, subject: str, project: str) -> Iterator[Given]:
    for pattern, said in SHAPES[shape]:
        words = said.removeprefix("but ")
        yield Given(subject, pattern.format(n=project), tuple(words.split(",")), words != said)


def _push(scene: Scene) -> None:
    """Two manifests and a blob in each repository: `v1` and `moved` are the first."""
    wanted = [asked for name in scene.repositories for asked in _content(name, scene.admin.basic)]
    assert {told.status for told in scene.transport.ask(wanted)} == {201}


def _content(name: str, authorization: str | None) -> Iterator[Asked]:
    yield Asked("POST", f"/v2/{name}/blobs/uploads/?digest={BLOB.digest}", authorization, BLOB.data)
    for reference, manifest in ((SECOND.digest, SECOND), ("v1", FIRST), ("moved", FIRST)):
        yield put(name, reference, manifest, authorization)


def put(name: str, reference: str, manifest: TinyIndex, authorization: str | None) -> Asked:
    """A push of a manifest, as a request."""
    return Asked("PUT", f"/v2/{name}/manifests/{reference}", authorization, manifest.manifest, manifest.media_type)
