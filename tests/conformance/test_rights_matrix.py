"""Who may do what: every route, asked by everybody in every way, over every shape of grants; a second opinion decides.

The expected answers are those of tests/support/rights_oracle.py, which shares no line with the registry.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import jwt
import pytest

from registry.api.routes import ROUTES, Endpoint, Route
from registry.core.rights import Right
from tests.conformance.rights_probes import PROBES, answers, differences, expectation, without_probes
from tests.conformance.rights_scene import BLOB, PRIVATE, SHAPES, Scene, Visitor, rights_scene
from tests.support.inprocess import Asked, Told
from tests.support.postgres import postgres_server
from tests.support.rights_oracle import LET_IN
from tests.unit.metadata.databases import quick_folder


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with quick_folder() as folder, rights_scene(folder / "data") as scene:
        yield scene


def test_no_route_is_without_its_row_in_the_matrix() -> None:
    assert not without_probes(ROUTES)
    assert PROBES.keys() == {(each.endpoint, each.method) for each in ROUTES}


def test_a_new_route_without_a_row_is_missed() -> None:
    new = Route("end-99", Endpoint.TAGS, "DELETE", ROUTES[0].handler, (Right.DELETE,))
    assert without_probes([*ROUTES, new]) == [(Endpoint.TAGS, "DELETE")]


def test_each_row_needs_what_its_route_demands() -> None:
    demanded = {(each.endpoint, each.method): {tuple(map(str, each.rights))} for each in ROUTES}
    assert {key: {probe.needs for probe in probes} for key, probes in PROBES.items()} == demanded


@pytest.mark.parametrize("shape", SHAPES)
def test_everybody_may_do_exactly_what_was_granted(scene: Scene, shape: str) -> None:
    is_as_granted(scene, shape)


def is_as_granted(scene: Scene, shape: str) -> None:
    wrong = [
        f"{visitor.label}: {probe.method} {probe.target} of {name}: {difference}"
        for name in (f"{project}/app" for project in scene.projects[shape])
        for visitor in scene.visitors(name)
        for probe, told in answers(scene, name, visitor)
        for difference in differences(told, probe, expectation(scene.opinion, name, visitor, probe))
    ]
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_token_grants_what_is_allowed_and_drops_the_rest(scene: Scene, shape: str) -> None:
    for name in (f"{project}/app" for project in scene.projects[shape]):
        for visitor in scene.visitors(name):
            if visitor.ticket is not None and not visitor.person.asker.is_dead:
                assert granted(visitor) == allowed_part(scene, visitor), visitor.label


def granted(visitor: Visitor) -> dict[str, set[str]]:
    """What its token says of repositories."""
    token = str(visitor.authorization).removeprefix("Bearer ")
    access = jwt.decode(token, options={"verify_signature": False})["access"]
    return {each["name"]: set(each["actions"]) for each in access if each["type"] == "repository"}


def allowed_part(scene: Scene, visitor: Visitor) -> dict[str, set[str]]:
    """What the oracle grants of what was asked for."""
    asked = visitor.ticket.actions if visitor.ticket else {}
    parts = {
        name: {each for each in actions if scene.opinion.holds(visitor.person.asker, each, name)}
        for name, actions in asked.items()
    }
    return {name: actions for name, actions in parts.items() if actions}


def test_everybody_is_shown_what_may_be_pulled_and_nothing_else(scene: Scene) -> None:
    is_shown_as_granted(scene)


def is_shown_as_granted(scene: Scene) -> None:
    for visitor in scene.visitors("s1/app"):
        if scene.opinion.judge_catalog(visitor.person.asker, visitor.ticket) is LET_IN:
            expected = scene.opinion.readable(visitor.person.asker, scene.repositories)
            assert list(listed(scene, visitor, 1000)) == expected, visitor.label
            assert list(listed(scene, visitor, 7)) == expected, visitor.label


def test_another_database_makes_no_difference() -> None:
    """PostgreSQL has regular expressions and an order of its own; the rest is the same code."""
    shapes = ["nothing", "reader", "creator", "owner, but pull", "star in front, hit", "star, miss", "deep, miss"]
    with ExitStack() as stack:
        folder = stack.enter_context(quick_folder())
        url = stack.enter_context(postgres_server().database())
        scene = stack.enter_context(rights_scene(folder / "data", shapes, database=url))
        is_shown_as_granted(scene)
        for shape in ("creator", "owner, but pull"):
            is_as_granted(scene, shape)


def listed(scene: Scene, visitor: Visitor, size: int) -> Iterator[str]:
    """The catalog as the visitor sees it, by pages of `size`."""
    target: str | None = f"/v2/_catalog?n={size}"
    while target is not None:
        (told,) = scene.transport.ask([Asked("GET", target, visitor.authorization)])
        page = json.loads(told.body)["repositories"]
        assert len(page) <= size
        yield from page
        link = told.header("link")
        target = link[1 : link.index(">")] if link else None


def test_private_and_missing_look_the_same_to_whoever_may_do_nothing(scene: Scene) -> None:
    """Byte for byte, headers and their order too, but for the name that was asked about."""
    private, missing = f"{scene.projects['nothing'][0]}/app", scene.missing
    for there, absent in zip(scene.visitors(private), scene.visitors(missing), strict=True):
        if not scene.opinion.holds_any(there.person.asker, private):
            told = [[nameless(told, private) for _, told in answers(scene, private, there)]]
            told += [[nameless(told, missing) for _, told in answers(scene, missing, absent)]]
            assert told[0] == told[1], there.label


def nameless(told: Told, name: str) -> Told:
    """Without the name."""
    headers = tuple((key, value.replace(name, "NAME")) for key, value in told.headers)
    return Told(told.status, headers, told.body.replace(name.encode(), b"NAME"))


def test_a_source_that_may_not_be_read_looks_like_one_that_is_missing(scene: Scene) -> None:
    """Both are a session (202), whose address is all that differs."""
    target = f"{scene.projects['writer'][0]}/app"
    for visitor in scene.visitors(target):
        if not visitor.person.asker.is_admin:
            mounts = [f"/v2/{target}/blobs/uploads/?mount={BLOB.digest}&from={PRIVATE[:-1]}{end}" for end in "ex"]
            there, absent = scene.transport.ask([Asked("POST", each, visitor.authorization) for each in mounts])
            assert sessionless(there) == sessionless(absent), visitor.label


def sessionless(told: Told) -> Told:
    """Without the number of the session, and without the last letter of the source in a challenge."""
    headers = [(key, re.sub(r"[0-9a-f-]{36}", "SESSION", value)) for key, value in told.headers]
    return Told(told.status, tuple((key, value.replace("sourcx", "source")) for key, value in headers), told.body)


def test_where_authentication_is_off_everybody_may_do_everything() -> None:
    with quick_folder() as folder, rights_scene(folder / "data", ["nothing"], open=True) as scene:
        for visitor in scene.visitors("s0/app"):
            everything = Visitor(scene.admin, visitor.authorization, None, visitor.label)
            for probe, told in answers(scene, "s0/app", everything):
                assert told.status == probe.passes, (visitor.label, probe)
