"""Who somebody is by the claims of a provider, which were verified before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.auth.sign_in.identity import identity
from registry.auth.sign_in.refusals import SignInRefused
from registry.auth.sign_in.sources import OidcSource
from registry.core.facts import ExternalIdentity


def is_complete(claims: Mapping[str, Any], source: OidcSource) -> bool:
    """Whether name and groups are both there; providers may tell them to those alone who ask for them (UserInfo)."""
    return {source.username_claim, source.groups_claim} <= claims.keys()


def identity_in(claims: Mapping[str, Any], source: OidcSource) -> ExternalIdentity:
    """The identity that the claims tell of. Raises: SignInRefused."""
    name = claims.get(source.username_claim)
    if not isinstance(name, str):
        raise SignInRefused(f"{source.name}: there is no claim {source.username_claim} that is text")
    return identity(source.name, str(claims["sub"]), name, _groups(claims, source), source.membership)


def _groups(claims: Mapping[str, Any], source: OidcSource) -> frozenset[str]:
    """All of them. A provider that tells of no groups tells that there are none; half a list is never taken for one."""
    found = claims.get(source.groups_claim)
    elsewhere = claims.get("_claim_names")
    if found is None and isinstance(elsewhere, dict) and source.groups_claim in elsewhere:
        # OpenID Connect Core 1.0, 5.6.2; Entra ID does so from 200 groups on.
        raise SignInRefused(f"{source.name}: the groups are too many for a token, and lie elsewhere")
    groups = [] if found is None else [found] if isinstance(found, str) else found
    if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        raise SignInRefused(f"{source.name}: the claim {source.groups_claim} is no list of names")
    return frozenset(groups)
