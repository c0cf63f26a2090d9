"""Who may administer what: the registry, a part of it, or only oneself.

    an administrator              everything
    `admin` on a whole pattern    grants on it, robots of a project that lies in it
    anybody                       its own password, tokens and sessions

A limited credential (a personal token with limits) administers nothing: it was made for less.
"""

from __future__ import annotations

from registry.core.access import is_admin
from registry.core.facts import Caller
from registry.core.patterns import Pattern
from registry.core.refusals import PrincipalUnknown
from registry.core.rights import Grant, Right
from registry.oci.errors import Denied, Unauthorized
from registry.oci.names import RepositoryName


def demand_registry(caller: Caller) -> None:
    """Raises: Unauthorized, Denied."""
    if not (_is_unlimited(caller) and is_admin(caller)):
        raise Denied(needed="to be an administrator of the registry")


def may_administer(caller: Caller, pattern: Pattern) -> bool:
    """Whether grants on this pattern are the caller's to give; one that is not limited."""
    return caller.limits is None and (is_admin(caller) or caller.rights.hold_throughout(Right.ADMIN, pattern))


def demand_pattern(caller: Caller, pattern: Pattern) -> None:
    """Raises: Unauthorized, Denied."""
    if not (_is_unlimited(caller) and may_administer(caller, pattern)):
        raise Denied(needed=f"admin on all of {pattern}")


def demand_project(caller: Caller, project: str) -> None:
    """Raises: Unauthorized, Denied."""
    demand_pattern(caller, Pattern(f"{project}/**"))


def demand_self(caller: Caller, name: str) -> None:
    """To be this principal, or an administrator. Raises: Unauthorized, Denied."""
    if not (_is_unlimited(caller) and (caller.name == name or is_admin(caller))):
        raise Denied(needed=f"to be {name}, or an administrator")


def demand_no_limits(caller: Caller) -> None:
    """Raises: Unauthorized, Denied."""
    if not _is_unlimited(caller):
        raise Denied(needed="a credential without limits")


def demand_sight(caller: Caller, name: str) -> None:
    """As `demand_self`; to anybody else there is no such principal. Raises: Unauthorized, Denied, PrincipalUnknown."""
    demand_no_limits(caller)
    if not (caller.name == name or is_admin(caller)):
        raise PrincipalUnknown(name=name)


def demand_explanation(caller: Caller, subject: str, repository: RepositoryName) -> None:
    """To be the subject, or to hold admin there. Raises: Unauthorized, Denied."""
    unlimited = _is_unlimited(caller)
    if not (unlimited and (caller.name == subject or may_administer(caller, Pattern(repository.text)))):
        raise Denied(needed=f"to be {subject}, or admin on {repository}")


def may_see(caller: Caller, grant: Grant) -> bool:
    """Whether a grant concerns the caller, or is the caller's to give."""
    concerns = grant.subject == caller.name or any(each.uuid == grant.uuid for each in caller.rights.grants)
    return may_administer(caller, grant.pattern) or concerns


def _is_unlimited(caller: Caller) -> bool:
    """Raises: Unauthorized."""
    if caller.is_anonymous:
        raise Unauthorized
    return caller.limits is None
