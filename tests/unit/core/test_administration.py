"""Who may administer what, as one table."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace

import pytest

from registry.core import administration as rules
from registry.core.facts import Caller
from registry.core.patterns import Pattern
from registry.core.refusals import PrincipalUnknown
from registry.core.rights import Grant, Rights, parse_limits
from registry.oci.errors import Denied, Unauthorized
from registry.oci.names import RepositoryName

OWNED = Grant("alice", Pattern("team/**"), ("pull", "admin"), uuid="1")
ADMIN = Caller(1, "admin", is_admin=True, credential=1)
BY_GROUP = Caller(2, "root", credential=2, rights=Rights(is_admin=True))
OPEN = Caller(3, "(open)", is_admin=True)
OWNER = Caller(4, "alice", credential=4, rights=Rights((OWNED,)))
PARTLY = replace(OWNER, rights=Rights((OWNED, Grant("alice", Pattern("team/secret"), ("admin",), denies=True))))
USER = Caller(5, "bob", credential=5, rights=Rights((Grant("bob", Pattern("team/**"), ("pull", "push", "delete")),)))
ROBOT = Caller(6, "team+ci", credential=6)
NOBODY = Caller(7, "(anonymous)", is_anonymous=True, rights=Rights((Grant("anyone", Pattern("**"), ("admin",)),)))
LIMITED = tuple(replace(each, limits=parse_limits("admin,pull **")) for each in (ADMIN, BY_GROUP, OWNER))

DEMANDS: dict[str, Callable[[Caller], None]] = {
    "the registry": rules.demand_registry,
    "everything": lambda caller: rules.demand_pattern(caller, Pattern("**")),
    "team/**": lambda caller: rules.demand_pattern(caller, Pattern("team/**")),
    "team/app": lambda caller: rules.demand_pattern(caller, Pattern("team/app")),
    "team/secret": lambda caller: rules.demand_pattern(caller, Pattern("team/secret")),
    "project team": lambda caller: rules.demand_project(caller, "team"),
    "project teams": lambda caller: rules.demand_project(caller, "teams"),
    "alice": lambda caller: rules.demand_self(caller, "alice"),
    "sight of alice": lambda caller: rules.demand_sight(caller, "alice"),
    "why alice may": lambda caller: rules.demand_explanation(caller, "alice", RepositoryName("team/app")),
}
HERSELF = {"alice", "sight of alice", "why alice may"}


@pytest.mark.parametrize(
    ("caller", "passes"),
    [
        *((each, DEMANDS.keys()) for each in (ADMIN, BY_GROUP, OPEN)),
        (OWNER, {"team/**", "team/app", "team/secret", "project team", *HERSELF}),
        # What is denied on a part is not held on the whole.
        (PARTLY, {"team/app", *HERSELF}),
        *((each, set()) for each in (USER, ROBOT, *LIMITED, NOBODY)),
    ],
)
def test_who_may_administer_what(caller: Caller, passes: AbstractSet[str]) -> None:
    answers = {name: refusal_of(demand, caller) for name, demand in DEMANDS.items()}
    assert {name for name, answer in answers.items() if answer is None} == passes
    if caller.is_anonymous:
        # Who might do better by signing in is asked to.
        assert set(answers.values()) == {Unauthorized}


def refusal_of(demand: Callable[[Caller], None], caller: Caller) -> type[Exception] | None:
    try:
        demand(caller)
    except (Unauthorized, Denied, PrincipalUnknown) as refusal:
        return type(refusal)
    return None


def test_somebody_else_is_not_there_at_all() -> None:
    assert refusal_of(DEMANDS["sight of alice"], USER) is PrincipalUnknown
    assert refusal_of(DEMANDS["sight of alice"], LIMITED[2]) is Denied


def test_a_grant_is_seen_by_whom_it_concerns_and_by_who_may_give_it() -> None:
    inside, outside = (
        Grant("bob", Pattern("team/app"), ("pull",), uuid="2"),
        Grant("bob", Pattern("x"), ("pull",), uuid="3"),
    )
    assert [rules.may_see(OWNER, each) for each in (OWNED, inside, outside)] == [True, True, False]
    assert [rules.may_see(USER, each) for each in (OWNED, inside, outside)] == [False, True, True]
    assert [rules.may_see(ADMIN, each) for each in (OWNED, inside, outside)] == [True] * 3
