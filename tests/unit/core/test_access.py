"""Who may do what, as one table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from registry.core.access import Access, Demand, Right, covers
from registry.core.facts import Caller
from registry.oci.errors import Denied, Unauthorized
from registry.oci.names import RepositoryName

APP = RepositoryName("team/app")
ADMIN = Caller(1, "admin", is_admin=True, credential=1)
USER = Caller(2, "user", credential=2)
NOBODY = Caller(3, "(anonymous)", is_anonymous=True)
CLOSED, OPEN = Access(), Access(anonymous_pull=True)
PULL, PUSH = Demand((Right.PULL,), APP), Demand((Right.PULL, Right.PUSH), APP)
DELETE, CATALOG = Demand((Right.DELETE,), APP), Demand((Right.CATALOG,))
YES = None


@dataclass(frozen=True)
class Scope:
    type: str
    name: str
    actions: tuple[str, ...]


@pytest.mark.parametrize(
    ("access", "caller", "demand", "answer"),
    [
        *((access, ADMIN, demand, YES) for access in (CLOSED, OPEN) for demand in (PULL, PUSH, DELETE, CATALOG)),
        *((CLOSED, NOBODY, demand, Unauthorized) for demand in (PULL, PUSH, DELETE, CATALOG)),
        *((OPEN, NOBODY, demand, YES) for demand in (PULL, CATALOG)),
        *((OPEN, NOBODY, demand, Unauthorized) for demand in (PUSH, DELETE)),
        *((CLOSED, USER, demand, Denied) for demand in (PULL, PUSH, DELETE, CATALOG)),
        *((OPEN, USER, demand, YES) for demand in (PULL, CATALOG)),
        *((OPEN, USER, demand, Denied) for demand in (PUSH, DELETE)),
    ],
)
def test_the_grants_decide(access: Access, caller: Caller, demand: Demand, answer: type[Exception] | None) -> None:
    if answer is None:
        access.demand(caller, demand, None)
    else:
        with pytest.raises(answer):
            access.demand(caller, demand, None)


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
        CLOSED.demand(ADMIN, demand, scopes)
    else:
        with pytest.raises(Unauthorized):
            CLOSED.demand(ADMIN, demand, scopes)


def test_a_token_gives_nothing_that_the_grants_do_not() -> None:
    scopes = [Scope("repository", "team/app", ("pull", "push"))]
    with pytest.raises(Denied):
        CLOSED.demand(USER, PUSH, scopes)
    with pytest.raises(Unauthorized):
        OPEN.demand(NOBODY, PUSH, scopes)


def test_a_demand_reads_as_the_scope_that_a_client_must_ask_for() -> None:
    assert [str(each) for each in (PUSH, CATALOG)] == ["repository:team/app:pull,push", "registry:catalog:*"]
