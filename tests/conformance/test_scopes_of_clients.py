"""Token requests as containerd, buildkit and docker write them: several scopes, of which some are not allowed.

containerd   POST of a form, scopes between spaces; on 400, 401, 404 and 405 a GET, with a parameter for each scope
buildkit     the same, with `pull` on the repositories that it would mount from
docker       POST for a refresh token first, then POST or GET with it
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.conformance.peopled import Peopled, peopled
from tests.conformance.tokens import caller
from tests.support.images import TinyImage
from tests.support.registrar import PASSWORD
from tests.unit.metadata.databases import quick_folder

ALICE = ("alice", PASSWORD)
APP, PUBLIC, PRIVATE = "team/app", "base/alpine", "private/base"
PUSH_APP = f"repository:{APP}:pull,push"
SCOPES = (PUSH_APP, f"repository:{PUBLIC}:pull", f"repository:{PRIVATE}:pull")

Asking = Callable[[httpx.Client, tuple[str, ...]], httpx.Response]


@pytest.fixture(scope="module")
def site() -> Iterator[Peopled]:
    """alice writes to team/**, anyone reads base/**, and nobody private/**."""
    with quick_folder() as folder, peopled(folder / "data") as site:
        site.people.user("alice")
        site.people.grant("alice", "team/**", "writer")
        site.people.grant("anyone", "base/**", "reader")
        yield site


@pytest.fixture(scope="module")
def images(site: Peopled) -> dict[str, TinyImage]:
    return {name: site.image(name) for name in (PUBLIC, PRIVATE)}


def containerd(http: httpx.Client, scopes: tuple[str, ...]) -> httpx.Response:
    """`remotes/docker/auth`, FetchTokenWithOAuth."""
    form = {"client_id": "containerd-client", "grant_type": "password", "service": "entrepot"}
    form |= {"scope": " ".join(scopes), "username": ALICE[0], "password": ALICE[1]}
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    return http.post("/token", data=form, headers=headers)


def containerd_by_get(http: httpx.Client, scopes: tuple[str, ...]) -> httpx.Response:
    """FetchToken, where the POST was answered 400, 401, 404 or 405."""
    return http.get("/token", params={"service": "entrepot", "scope": list(scopes)}, auth=ALICE)


def buildkit(http: httpx.Client, scopes: tuple[str, ...]) -> httpx.Response:
    """The source of a mount comes first, and one scope twice."""
    return containerd(http, (*reversed(scopes), scopes[0]))


def docker(http: httpx.Client, scopes: tuple[str, ...]) -> httpx.Response:
    """By the refresh token that it keeps."""
    form = {"client_id": "docker", "grant_type": "password", "service": "entrepot", "access_type": "offline"}
    kept = http.post("/token", data={**form, "username": ALICE[0], "password": ALICE[1], "scope": ""}).json()
    form = {"client_id": "docker", "grant_type": "refresh_token", "service": "entrepot"}
    return http.post("/token", data={**form, "refresh_token": kept["refresh_token"], "scope": " ".join(scopes)})


def podman(http: httpx.Client, scopes: tuple[str, ...]) -> httpx.Response:
    """All scopes in one parameter, between spaces."""
    return http.get("/token", params={"account": "alice", "scope": " ".join(scopes)}, auth=ALICE)


CLIENTS = (containerd, containerd_by_get, buildkit, docker, podman)


@pytest.fixture(params=CLIENTS, ids=lambda each: each.__name__)
def client(request: pytest.FixtureRequest) -> Asking:
    asking: Asking = request.param
    return asking


def test_what_is_allowed_is_granted_and_the_rest_left_out(site: Peopled, client: Asking) -> None:
    """Field-notes, section 1: never fail the token request."""
    answer = client(site.deployment.connect(None), SCOPES)
    assert granted(answer) == {APP: {"pull", "push"}, PUBLIC: {"pull"}}


def test_a_token_for_nothing_is_a_token(site: Peopled, client: Asking) -> None:
    assert granted(client(site.deployment.connect(None), (f"repository:{PRIVATE}:pull,push,delete",))) == {}


def test_with_it_a_layer_is_mounted_from_where_it_may_be_pulled(
    site: Peopled, client: Asking, images: dict[str, TinyImage]
) -> None:
    """And begins an upload where it may not: 403 or 404 would end containerd's push (field-notes, section 1)."""
    holder = caller(site.deployment, client(site.deployment.connect(None), SCOPES))
    assert holder.mount(APP, images[PUBLIC].config.digest, PUBLIC).status_code == 201
    digest = images[PRIVATE].layers[0].digest
    for source in (PRIVATE, "private/missing", None):
        refused = holder.mount(APP, digest, source)
        assert refused.status_code == 202
        assert refused.headers["location"].startswith(f"/v2/{APP}/blobs/uploads/")
    assert holder.blob(APP, digest).status_code == 404


def test_what_a_token_lacks_is_asked_for_by_the_challenge_of_a_mount(
    site: Peopled, client: Asking, images: dict[str, TinyImage]
) -> None:
    """What its holder may pull and its token was not asked for; containerd then goes on without the mount."""
    holder = caller(site.deployment, client(site.deployment.connect(None), (PUSH_APP,)))
    answer = holder.mount(APP, images[PUBLIC].layers[0].digest, PUBLIC)
    assert answer.status_code == 401
    assert f'scope="{PUSH_APP} repository:{PUBLIC}:pull"' in answer.headers["www-authenticate"]
    assert holder.mount(APP, images[PRIVATE].layers[0].digest, PRIVATE).status_code == 202


@pytest.mark.parametrize("asking", [containerd, containerd_by_get, podman], ids=lambda each: each.__name__)
def test_a_wrong_password_is_a_status_on_which_clients_give_up(site: Peopled, asking: Asking) -> None:
    """401 both times: containerd's GET after its POST fares no better."""
    site.people.set_password("alice", "another horse battery")
    assert asking(site.deployment.connect(None), SCOPES).status_code == 401
    site.people.set_password("alice", PASSWORD)
    assert asking(site.deployment.connect(None), SCOPES).status_code == 200


def granted(answer: httpx.Response) -> dict[str, set[str]]:
    """What the token of an answer says."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    # containerd reads the one, docker the other.
    assert body["token"] == body["access_token"]
    access = jwt.decode(body["token"], options={"verify_signature": False})["access"]
    return {each["name"]: set(each["actions"]) for each in access}
