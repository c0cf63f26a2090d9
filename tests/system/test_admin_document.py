"""The administration API and its document agree: whatever that allows is asked of a live server, and a bit more.

Schemathesis makes the requests, those that fit the document and those that do not; a part of them is aimed at what is
there. Each answer must be one that the document tells of, and no failure of the server's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from registry.admin.app import DOCUMENT, routed
from registry.admin.document import describe
from tests.support.client import RegistryClient
from tests.support.images import TinyIndex, index
from tests.support.login import BearerLogin
from tests.support.postgres import postgres_server
from tests.support.server import RunningServer

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    f"{method.upper()} {path}" for path, methods in describe(routed("0"))["paths"].items() for method in methods
]
Operation = APIOperation[Any, Any, Any, Any]
CALLERS = ("administrator", "user")
EXAMPLES = 12


@dataclass
class Scene:
    """Who calls, by its token, and what paths may name."""

    secrets: Mapping[str, str]
    there: Mapping[str, Sequence[str]]


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One over each database: what one of them takes, the other may not."""
    data: Path = tmp_path_factory.mktemp("administration") / "data"
    with ExitStack() as stack:
        facts = {"database": stack.enter_context(postgres_server().database())} if request.param != "SQLite" else {}
        server = stack.enter_context(RunningServer(data, facts))
        yield server
        server.stop()


@pytest.fixture(scope="module")
def admin(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/api/v1", auth=server.admin) as admin:
        yield admin


@pytest.fixture(scope="module")
def operations(server: RunningServer) -> Mapping[str, Operation]:
    schema = schemathesis.openapi.from_url(f"{server.url}{DOCUMENT}")
    found = (each.ok() for each in schema.get_all_operations() if isinstance(each, Ok))
    return {f"{each.method.upper()} {each.path}": each for each in found}


@pytest.fixture
def scene(server: RunningServer, admin: httpx.Client) -> Scene:
    """Whatever earlier requests have left of it, everything is there again."""
    for path in ("/users/plain", "/users/victim", "/groups/devs", "/projects/team/robots/ci"):
        admin.put(path, json={}).raise_for_status()
    admin.put("/groups/devs/members/victim").raise_for_status()
    grants = [
        admin.put(f"/grants/{subject}/allow", params={"pattern": "team/**"}, json={"actions": [action]}).json()["uuid"]
        for subject, action in (("plain", "owner"), ("victim", "pull"))
    ]
    for path in ("/projects/team/quota", "/users/admin/quota", "/users/plain/quota", "/users/victim/quota"):
        admin.delete(path)
    for scope in ("project", "user"):
        admin.put(f"/default-quotas/{scope}", json={}).raise_for_status()
    rules = _ruled(admin)
    image, deleted = _pushed(server), admin.delete("/repositories/team/app")
    _pushed(server)
    made = {name: admin.post(f"/users/{name}/tokens", json={}).json() for name in ("admin", "plain", "victim")}
    return Scene(
        {"administrator": made["admin"]["secret"], "user": made["plain"]["secret"]},
        {
            "name": ("victim", "devs", "ci"),
            "member": ("victim",),
            "subject": ("victim", "anyone", "@devs"),
            "project": ("team",),
            "uuid": (*grants, *rules, made["victim"]["uuid"], deleted.json()["uuid"]),
            "repository": ("team/app",),
            "tag": ("v1",),
            "digest": (image.digest,),
        },
    )


def _ruled(admin: httpx.Client) -> list[str]:
    """A rule of each kind about nothing else that is asked for, and no other: their UUIDs."""
    for kind in ("immutable", "retention"):
        for rule in admin.get(f"/{kind}-rules", params={"limit": 500}).json()["items"]:
            admin.delete(f"/{kind}-rules/{rule['uuid']}").raise_for_status()
    return [
        admin.put(f"/{kind}-rules", params={"repositories": "ruled/**"}, json=document).json()["uuid"]
        for kind, document in (("immutable", {}), ("retention", {"keeps": {"last": 1}}))
    ]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("caller", CALLERS)
def test_every_answer_is_one_that_the_document_tells_of(
    operations: Mapping[str, Operation], scene: Scene, operation: str, caller: str
) -> None:
    authorization = {"Authorization": f"Bearer {scene.secrets[caller]}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=aimed(st.one_of([operations[operation].as_strategy(mode) for mode in GenerationMode]), scene.there))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(headers=authorization, checks=CHECKS)

    ask()


def _pushed(server: RunningServer) -> TinyIndex:
    """An image in `team/app`, under a tag."""
    image = index()
    with server.http(auth=BearerLogin(*server.admin)) as http:
        RegistryClient(http).push_image("team/app", image, "v1")
    return image


def aimed(cases: st.SearchStrategy[Case[Any]], there: Mapping[str, Sequence[str]]) -> st.SearchStrategy[Case[Any]]:
    """The same requests, most of them about what is there."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Case[Any]:
        case = draw(cases)
        for name in case.path_parameters or {}:
            if name in there and draw(st.integers(0, 3)):
                case.path_parameters[name] = draw(st.sampled_from(there[name]))
        return case

    return drawn()
