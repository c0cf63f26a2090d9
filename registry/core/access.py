"""Who may do what: decided here, from the caller, the right and the repository, and nowhere else.

Two answers must be yes: the grants' (what the principal may do by now) and, for a bearer token, the token's own scopes
(what it was issued for). A token that is too narrow is a 401 with the scope it needs, so that the client fetches
another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from registry.core.facts import Caller
from registry.core.patterns import EVERYTHING
from registry.core.rights import Grant, Right
from registry.core.visible import ALL_VISIBLE, Visible
from registry.oci.errors import Denied, Unauthorized
from registry.oci.names import RepositoryName

ANYONE: Final = "anyone"
"""How grants name everybody, with an account and without."""
PULL_BY_ANYONE: Final = Grant(ANYONE, EVERYTHING, ("pull",))
"""What the setting `anonymous_pull` grants."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request needs: rights on one repository, or on the registry itself (`repository` None)."""

    rights: tuple[Right, ...]
    repository: RepositoryName | None = None

    @property
    def target(self) -> tuple[str, str]:
        """Type and name of the resource, as the token specification has them."""
        return ("repository", self.repository.text) if self.repository else ("registry", "catalog")

    def __str__(self) -> str:
        """As a scope (distribution token specification)."""
        return ":".join((*self.target, ",".join(self.rights)))


class Scoped(Protocol):
    """One scope that a bearer token was issued for."""

    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def actions(self) -> Sequence[str]: ...


def is_admin(caller: Caller) -> bool:
    """Whether the principal may do everything, as far as its credential may be used for it."""
    return caller.is_admin or caller.rights.is_admin


def covers(scope: Scoped, demand: Demand) -> bool:
    """Whether the demand lies wholly within the scope."""
    kind, name = demand.target
    return scope.type == kind and scope.name == name and all(each in scope.actions for each in demand.rights)


class ScopeMissing(Unauthorized):
    """The principal may do it, and its token was not issued for it: with one for `demand` it passes."""

    def __init__(self, demand: Demand) -> None:
        super().__init__()
        self.demand = demand


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of this registry; the only question is `granted`."""

    def granted(self, caller: Caller, right: Right, repository: RepositoryName | None) -> bool:
        """Whether the principal may do this by now with this credential, whatever bearer token it came with."""
        if repository is None:
            # A listing shows what may be pulled, so it is for who may pull something, or has a name to be known by.
            return right is Right.CATALOG and (not caller.is_anonymous or caller.rights.hold_anywhere(Right.PULL))
        if caller.limits is not None and not caller.limits.hold(right, repository):
            return False
        return is_admin(caller) or caller.rights.hold(right, repository)

    def visible(self, caller: Caller) -> Visible:
        """The repositories that a listing shows to this caller."""
        visible = ALL_VISIBLE if is_admin(caller) else caller.rights.visible
        return visible if caller.limits is None else visible.limited(caller.limits.visible)

    def grants(self, caller: Caller, demand: Demand) -> bool:
        """Whether the principal holds all that is demanded."""
        return all(self.granted(caller, right, demand.repository) for right in demand.rights)

    def allows(self, caller: Caller, right: Right, repository: RepositoryName, scopes: Sequence[Scoped] | None) -> bool:
        """Both answers to a question that no request's passing depends on."""
        demand = Demand((right,), repository)
        return self.grants(caller, demand) and (scopes is None or any(covers(each, demand) for each in scopes))

    def demand(self, caller: Caller, demand: Demand, scopes: Sequence[Scoped] | None) -> None:
        """Let the request pass, or not. `scopes` is what its token was issued for, None when it came without one.

        Raises: Unauthorized for who might do better by signing in or by a wider token, Denied for who would not.
        """
        if self.grants(caller, demand):
            if scopes is None or any(covers(each, demand) for each in scopes):
                return
            raise ScopeMissing(demand)
        if caller.is_anonymous:
            raise Unauthorized
        raise Denied
