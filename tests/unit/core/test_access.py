"""Who may do what, as one table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from registry.core.access import PULL_BY_ANYONE, Access, Demand, covers
from registry.core.facts import Caller
from registry.core.rights import Right, Rights, parse_limits
from registry.oci.errors import Denied, Unauthorized
from registry.oci.names import RepositoryName

APP = RepositoryName("team/app")
ACCESS = Access()
PULLING = Rights((PULL_BY_ANYONE,))
ADMIN = Caller(1, "admin", is_admin=True, credential=1)
BY_GROUP = Caller(4, "root", credential=4, rights=Rights(is_admin=True))
USER, READER = Caller(2, "user", credential=2), Caller(2, "user", credential=2, rights=PULLING)
NOBODY = Caller(3, "(anonymous)", is_anonymous=True)
ANYONE = Caller(3, "(anonymous)", is_anonymous=True, rights=PULLING)
PULL, PUSH = Demand((Right.PULL,), APP), Demand((Right.PULL, Right.PUSH), APP)
DELETE, CATALOG = Demand((Right.DELETE,), APP), Demand((Right.CATALOG,))
YES = None


@dataclass(frozen=True)
class Scope:
    type: str
    name: str
    actions: tuple[str, ...]


@pytest.mark.parametrize(
    ("caller", "demand", "answer"),
    [
        *((caller, demand, YES) for caller in (ADMIN, BY_GROUP) for demand in (PULL, PUSH, DELETE, CATALOG)),
        *((NOBODY, demand, Unauthorized) for demand in (PULL, PUSH, DELETE, CATALOG)),
        *((ANYONE, demand, YES) for demand in (PULL, CATALOG)),
        *((ANYONE, demand, Unauthorized) for demand in (PUSH, DELETE)),
        *((USER, demand, Denied) for demand in (PULL, PUSH, DELETE)),
        # Of which it sees nothing.
        (USER, CATALOG, YES),
        *((READER, demand, YES) for demand in (PULL, CATALOG)),
        *((READER, demand, Denied) for demand in (PUSH, DELETE)),
    ],
)
def test_the_grants_decide(caller: Caller, demand: Demand, answer: type[Exception] | None) -> None:
    if answer is None:
        ACCESS.demand(caller, demand, None)
    else:
        with pytest.raises(answer):
            ACCESS.demand(caller, demand, None)


@pytest.mark.parametrize("caller", [ADMIN, BY_GROUP, Caller(2, "user", credential=2, rights=PULLING)])
def test_a_limited_credential_opens_no_more_than_it_was_made_for(caller: Caller) -> None:
    limited = replace(caller, limits=parse_limits("pull team/app"))
    ACCESS.demand(limited, PULL, None)
    for demand in (PUSH, DELETE, Demand((Right.PULL,), RepositoryName("team/other"))):
        with pytest.raises(Denied):
            ACCESS.demand(limited, demand, None)


@pytest.mark.parametrize(
    ("demand", "scopes", "passes"),
    [
        (PULL, [Scope("repository", "team/app", ("pull",))], True),
        (PUSH, [Scope("repository", "team/app", ("push", "pull"))], True),
        (PUSH, [Scope("repository", "team/app", ("pull",))], False),
        (PUSH, [Scope("repository", "team/app", ("push",)), Scope("repository", "team/app", ("pull",))], False),
        (PULL, [Scope("repository", "team/ap", ("pull",))], False),
        (PULL, [Scope("repository", "team/app/x", ("pull",))], False),
        (PULL, [Scope("registry", "team/app", ("pull",))], False),
        (PULL, [Scope("repository", "team/app", ("*",))], False),
        (PULL, [], False),
        (CATALOG, [Scope("registry", "catalog", ("*",))], True),
        (CATALOG, [Scope("repository", "catalog", ("*",))], False),
        (PULL, [Scope("registry", "catalog", ("*",)), Scope("repository", "team/app", ("pull",))], True),
    ],
)
def test_a_token_opens_what_it_was_issued_for_even_to_an_admin(
    demand: Demand, scopes: list[Scope], passes: bool
) -> None:
    assert any(covers(each, demand) for each in scopes) is passes
    if passes:
        ACCESS.demand(ADMIN, demand, scopes)
    else:
        with pytest.raises(Unauthorized):
            ACCESS.demand(ADMIN, demand, scopes)


def test_a_token_gives_nothing_that_the_grants_do_not() -> None:
    scopes = [Scope("repository", "team/app", ("pull", "push"))]
    with pytest.raises(Denied):
        ACCESS.demand(USER, PUSH, scopes)
    with pytest.raises(Unauthorized):
        ACCESS.demand(ANYONE, PUSH, scopes)


def test_a_demand_reads_as_the_scope_that_a_client_must_ask_for() -> None:
    assert [str(each) for each in (PUSH, CATALOG)] == ["repository:team/app:pull,push", "registry:catalog:*"]
