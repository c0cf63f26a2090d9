"""What is taken away is gone with the next request, whichever worker answers it, and whether it reads or writes.

Each request is a connection of its own, so that any of the workers may get it; what is taken away has been in use
before, so that every one of them had reason to remember it.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from registry.core.facts import CredentialKind
from tests.conformance.tokens import Bearer
from tests.support.client import RegistryClient
from tests.support.images import index
from tests.support.postgres import postgres_server
from tests.support.registrar import Login, Registrar
from tests.support.server import Setting
from tests.system.people import Town, town

OFTEN = 12
ALONE = {"Connection": "close"}


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("revocation")
    with ExitStack() as stack:
        # Who is let in no more and asks thirty times is no attack here.
        settings: dict[str, Setting] = {"login_attempts": 10_000, "login_attempts_source": 100_000}
        if request.param == "PostgreSQL":
            key = folder / "key"
            key.write_bytes(secrets.token_bytes(32))
            key.chmod(0o600)
            settings |= {"database": stack.enter_context(postgres_server().database()), "key_file": key}
        yield stack.enter_context(town(folder / "data", **settings))


@pytest.fixture
def project(repository: str) -> str:
    """A project of the test's own; what it is called, a user may be called too."""
    return repository.rpartition("/")[2][:60].strip("-")


# What is taken away, by whoever may, from whom; the status of who is somebody still, and of who is not.
def _right(people: Registrar, login: Login, project: str) -> int:
    people.take_back(login[0], f"{project}/**")
    return 403


def _by_denial(people: Registrar, login: Login, project: str) -> int:
    people.deny("anyone", f"{project}/app", "pull", "push")
    return 403


def _group(people: Registrar, login: Login, project: str) -> int:
    people.leave(f"@{project}", login[0])
    return 403


def _token(people: Registrar, login: Login, project: str) -> int:
    people.revoke(login[0])
    return 401


def _password(people: Registrar, login: Login, project: str) -> int:
    people.set_password(login[0], "another horse battery")
    return 401


def _account(people: Registrar, login: Login, project: str) -> int:
    people.disable(login[0])
    return 401


def _person(people: Registrar, login: Login, project: str) -> int:
    people.remove(login[0])
    return 401


def _robot(people: Registrar, login: Login, project: str) -> int:
    people.expire(login[0])
    return 401


TAKEN = (_right, _by_denial, _group, _token, _password, _account, _person, _robot)


def arrive(people: Registrar, project: str, taken: Callable[..., int]) -> Login:
    """Somebody who may write to the project, and from whom just that can be taken."""
    if taken is _group:
        people.group(f"@{project}")
    login = (
        people.robot(project, "ci")
        if taken is _robot
        else people.user(project, *([f"@{project}"] if taken is _group else []))
    )
    people.grant(f"@{project}" if taken is _group else login[0], f"{project}/**", "writer")
    return people.token(project) if taken is _token else login


@pytest.mark.parametrize("comes_by", ["basic", "bearer", "refreshed"])
@pytest.mark.parametrize("taken", TAKEN, ids=lambda each: each.__name__.strip("_"))
def test_it_is_gone_with_the_next_request(
    place: Town, project: str, taken: Callable[[Registrar, Login, str], int], comes_by: str
) -> None:
    login = arrive(place.people, project, taken)
    repository, made = f"{project}/app", index()
    with place.client() as admin:
        admin.push_image(repository, made, "v1")
    with place.server.http(auth=auth_of(place, login, repository, comes_by), headers=ALONE) as http:
        caller = RegistryClient(http)
        assert {status for _ in range(OFTEN) for status in asked(caller, repository)} == {200, 202}
        status = taken(place.people, login, project)
        assert [each for _ in range(OFTEN) for each in asked(caller, repository)] == [status] * 3 * OFTEN


def asked(caller: RegistryClient, repository: str) -> tuple[int, int, int]:
    """A read by GET and by HEAD, and a write."""
    return (
        caller.manifest(repository, "v1").status_code,
        caller.manifest(repository, "v1", "HEAD").status_code,
        caller.start_upload(repository).status_code,
    )


def auth_of(place: Town, login: Login, repository: str, comes_by: str) -> httpx.Auth:
    """The login itself, a bearer token for it, or one for the refresh token that was given out for it."""
    basic = httpx.BasicAuth(*login)
    if comes_by == "basic":
        return basic
    scope = f"repository:{repository}:pull,push"
    with place.server.http() as http:
        asked_for = {"service": "entrepot", "scope": scope, "offline_token": "true"}
        told = http.get("/token", params=asked_for, auth=basic).raise_for_status().json()
        if comes_by == "refreshed":
            form = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"], "service": "entrepot"}
            told = http.post("/token", data={**form, "scope": scope}).raise_for_status().json()
    return Bearer(told["token"])


def test_a_refresh_token_taken_back_takes_its_bearer_tokens_along(place: Town, project: str) -> None:
    """A machine that was lost is signed out, and its owner is not."""
    login = arrive(place.people, project, _right)
    with place.client() as admin:
        admin.push_image(f"{project}/app", index(), "v1")
    lost, kept = (auth_of(place, login, f"{project}/app", how) for how in ("refreshed", "basic"))
    place.people.revoke(project, CredentialKind.REFRESH)
    for auth, status in ((lost, 401), (kept, 200)):
        with place.server.http(auth=auth, headers=ALONE) as http:
            answers = [RegistryClient(http).manifest(f"{project}/app", "v1").status_code for _ in range(OFTEN)]
            assert answers == [status] * OFTEN


@pytest.mark.parametrize("comes_by", ["basic", "bearer", "refreshed"])
def test_a_robot_ends_though_nobody_commits(place: Town, project: str, comes_by: str) -> None:
    """What is remembered until the next commit is remembered until its own end at the most."""
    lifetime = timedelta(seconds=2)
    ends = time.monotonic() + lifetime.total_seconds()
    login = place.people.robot(project, "brief", lifetime)
    place.people.grant(login[0], f"{project}/**", "writer")
    with place.client() as admin:
        admin.push_image(f"{project}/app", index(), "v1")
    with place.server.http(auth=auth_of(place, login, f"{project}/app", comes_by), headers=ALONE) as http:
        caller = RegistryClient(http)
        assert caller.manifest(f"{project}/app", "v1").status_code == 200
        while time.monotonic() < ends + 0.2:
            seen = caller.manifest(f"{project}/app", "v1").status_code
            assert seen == 200 or time.monotonic() > ends - 0.1
        assert [each for _ in range(OFTEN) for each in asked(caller, f"{project}/app")] == [401] * 3 * OFTEN


def test_what_is_given_is_there_with_the_next_request(place: Town, project: str) -> None:
    """The other way round: nobody waits for a cache."""
    login = place.people.user(project)
    with place.client() as admin:
        admin.push_image(f"{project}/app", index(), "v1")
    with place.server.http(auth=httpx.BasicAuth(*login), headers=ALONE) as http:
        caller = RegistryClient(http)
        for _ in range(3):
            assert {caller.manifest(f"{project}/app", "v1").status_code for _ in range(OFTEN)} == {403}
            place.people.grant(project, f"{project}/**", "reader")
            assert {caller.manifest(f"{project}/app", "v1").status_code for _ in range(OFTEN)} == {200}
            place.people.take_back(project, f"{project}/**")
