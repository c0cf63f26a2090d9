"""Why somebody may do something, or may not: the decision of `core/access`, put into a sentence.

Who asks means what a request needs, not a right by its name: to push takes pull as well, and whoever has only `create`
pushes tags that are new, and moves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry.core.access import PULL_BY_ANYONE
from registry.core.facts import Principal
from registry.core.rights import Grant, Right, Rights, Verdict
from registry.oci.names import RepositoryName

NEEDED: Final[Mapping[str, tuple[Right, ...]]] = {
    "pull": (Right.PULL,),
    "create": (Right.PUSH, Right.PULL),
    "push": (Right.PUSH, Right.PULL),
    "move": (Right.MOVE, Right.PUSH, Right.PULL),
    "delete": (Right.DELETE,),
    "admin": (Right.ADMIN,),
}
"""What one may ask about, in the words of grants, and the rights that it takes; the one that is meant comes first."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a principal may do something, and why; `because` is the grant that decides, if one does."""

    allowed: bool
    because: Grant | None
    sentence: str


def explained(
    principal: Principal, rights: Rights, action: str, repository: RepositoryName, *, is_expired: bool
) -> Explanation:
    """The answer for an action of the table."""
    who, what = principal.name, f"{action} {repository}"
    if principal.disabled is not None or is_expired:
        state = "disabled" if principal.disabled is not None else "expired"
        return Explanation(allowed=False, because=None, sentence=f"{who} is {state} and may do nothing")
    if principal.is_admin:
        return Explanation(allowed=True, because=None, sentence=f"{who} may {what}: it is an administrator")
    if rights.is_admin:
        sentence = f"{who} may {what}: it is in a group of administrators"
        return Explanation(allowed=True, because=None, sentence=sentence)
    return _by_grants(f"{who} may", what, rights, action, repository)


def _by_grants(who_may: str, what: str, rights: Rights, action: str, repository: RepositoryName) -> Explanation:
    needed = NEEDED[action]
    verdicts = {right: rights.verdict(right, repository) for right in (*needed, Right.MOVE)}
    missing = next((right for right in needed if not verdicts[right].holds), None)
    if missing is None:
        rest = "" if action != "push" or verdicts[Right.MOVE].holds else f"; {_only_new(verdicts[Right.MOVE])}"
        because = verdicts[needed[0]].because
        return Explanation(allowed=True, because=because, sentence=f"{who_may} {what}: {_told(because)}{rest}")
    takes = "" if missing is needed[0] else f", which takes {missing} as well"
    because = verdicts[missing].because
    return Explanation(allowed=False, because=because, sentence=f"{who_may} not {what}{takes}: {_told(because)}")


def _only_new(moving: Verdict) -> str:
    return f"tags that are there cannot be moved: {_told(moving.because)}"


def _told(because: Grant | None) -> str:
    if because is None:
        return "no grant to it, to its groups or to anyone says so"
    # Nobody finds it among the grants.
    return f"the setting anonymous_pull {because}" if because == PULL_BY_ANYONE else f"a grant {because}"
