"""A second opinion on who may do what, worked out by hand from the written rules: it shares no line with `registry`.

who asks ── dead? ──▶ 401
   │
   ├── what the route needs: held by grants, within limits? ── no ──▶ 401 without a name, else 403
   │
   └── came with a bearer token: was it issued for all of that? ── no ──▶ 401 that names the scope
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SERVICE = "entrepot"
WORDS = {
    "pull": {"pull"},
    "create": {"push"},
    "push": {"push", "move"},
    "move": {"move"},
    "delete": {"delete"},
    "admin": {"admin"},
    "reader": {"pull"},
    "creator": {"pull", "push"},
    "writer": {"pull", "push", "move"},
    "maintainer": {"pull", "push", "move", "delete"},
    "owner": {"pull", "push", "move", "delete", "admin"},
}


class Given(NamedTuple):
    """A grant, as somebody wrote it down."""

    subject: str
    pattern: str
    words: tuple[str, ...]
    denies: bool = False


@dataclass(frozen=True)
class Asker:
    """A principal and the credential it comes with; `is_dead` for one that is disabled or has expired."""

    name: str
    groups: frozenset[str] = frozenset()
    is_admin: bool = False
    is_dead: bool = False
    is_anonymous: bool = False
    limits: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True)
class Ticket:
    """What a bearer token was asked for: repository → actions, and whether the catalog was among it."""

    actions: Mapping[str, frozenset[str]]
    catalog: bool = False


class Needed(NamedTuple):
    """What a request needs of one repository, in the order in which a challenge names it."""

    repository: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"repository:{self.repository}:{','.join(self.actions)}"


class Verdict(NamedTuple):
    """A status; of a refusal its code too, and the challenge that goes with a 401."""

    status: int
    code: str | None = None
    challenge: str | None = None


LET_IN: Verdict | None = None


def matches(pattern: str, repository: str) -> bool:
    """Component by component, and character by character: no regular expression, as the registry has those."""
    wanted, there = pattern.split("/"), repository.split("/")
    if wanted[-1] == "**":
        fixed = wanted[:-1]
        return len(there) > len(fixed) and all(map(_alike, fixed, there))
    return len(wanted) == len(there) and all(map(_alike, wanted, there))


class Opinion:
    """The oracle, told of every grant there is."""

    def __init__(self, given: Sequence[Given]) -> None:
        self._given = given
        self._known: dict[tuple[Asker, str, str], bool] = {}

    def holds(self, asker: Asker, action: str, repository: str) -> bool:
        """Whether the asker may do this to the repository, with this credential and no bearer token."""
        key = asker, action, repository
        if key not in self._known:
            self._known[key] = _is_within(asker, action, repository) and self._is_granted(asker, action, repository)
        return self._known[key]

    def holds_any(self, asker: Asker, repository: str) -> bool:
        """Whether there is anything that it may do there."""
        return any(self.holds(asker, action, repository) for action in WORDS["owner"])

    def readable(self, asker: Asker, repositories: Sequence[str]) -> list[str]:
        """What a catalog may show to the asker, in order."""
        return [each for each in sorted(repositories) if self.holds(asker, "pull", each)]

    def judge(
        self, asker: Asker, needed: Needed, ticket: Ticket | None, source: Needed | None = None
    ) -> Verdict | None:
        """The refusal that a request to one repository meets; None where it is let in.

        Of `source`, which a mount pulls from, nothing need be held; but a token that could have covered it must.
        """
        named = [needed, *([source] if source else [])]
        if asker.is_dead:
            return unauthorized(named, "invalid_token" if ticket else None)
        if not self._holds_all(asker, needed):
            return unauthorized(named) if asker.is_anonymous else Verdict(403, "DENIED")
        for each in named:
            if ticket is not None and self._holds_all(asker, each) and not _covers(ticket, each):
                return unauthorized(named, "insufficient_scope")
        return LET_IN

    def judge_catalog(self, asker: Asker, ticket: Ticket | None) -> Verdict | None:
        """The same for the list of repositories: for everybody with a name, and for all where anyone may pull."""
        if asker.is_dead:
            return unauthorized(["registry:catalog:*"], "invalid_token" if ticket else None)
        if asker.is_anonymous and not self._anyone_pulls():
            return unauthorized(["registry:catalog:*"])
        if ticket is not None and not ticket.catalog:
            return unauthorized(["registry:catalog:*"], "insufficient_scope")
        return LET_IN

    def _is_granted(self, asker: Asker, action: str, repository: str) -> bool:
        said = {each.denies for each in self._given if _concerns(each, asker) and _speaks(each, action, repository)}
        return asker.is_admin or said == {False}

    def _holds_all(self, asker: Asker, needed: Needed) -> bool:
        return all(self.holds(asker, action, needed.repository) for action in needed.actions)

    def _anyone_pulls(self) -> bool:
        return any(
            each.subject == "anyone" and not each.denies and any("pull" in WORDS[word] for word in each.words)
            for each in self._given
        )


def judge_base(asker: Asker, ticket: Ticket | None) -> Verdict | None:
    """The refusal that a request to the base meets, which only asks for a name."""
    if asker.is_dead:
        return unauthorized([], "invalid_token" if ticket else None)
    return unauthorized([]) if asker.is_anonymous else LET_IN


def unauthorized(scopes: Sequence[object], error: str | None = None) -> Verdict:
    """A 401 with its challenge, but for the realm."""
    parts = [f'service="{SERVICE}"']
    parts += [f'scope="{" ".join(map(str, scopes))}"'] if scopes else []
    parts += [f'error="{error}"'] if error else []
    return Verdict(401, "UNAUTHORIZED", ",".join(parts))


def _concerns(given: Given, asker: Asker) -> bool:
    return given.subject in {asker.name, "anyone", *asker.groups}


def _speaks(given: Given, action: str, repository: str) -> bool:
    return any(action in WORDS[word] for word in given.words) and matches(given.pattern, repository)


def _is_within(asker: Asker, action: str, repository: str) -> bool:
    """Whether the credential may be used for it, whatever its owner may do."""
    return asker.limits is None or any(
        action in WORDS[word] and matches(pattern, repository) for word, pattern in asker.limits
    )


def _covers(ticket: Ticket, needed: Needed) -> bool:
    return set(needed.actions) <= ticket.actions.get(needed.repository, frozenset())


def _alike(wanted: str, there: str) -> bool:
    """Whether a component reads as wanted, where `*` is any characters, or none."""
    first, star, rest = wanted.partition("*")
    if not star:
        return wanted == there
    return there.startswith(first) and any(_alike(rest, there[at:]) for at in range(len(first), len(there) + 1))
