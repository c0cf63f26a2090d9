"""Grants: given, taken back, and explained. Who may give which is decided before (`core/administration`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from registry.core.access import PULL_BY_ANYONE, is_admin
from registry.core.administration import may_see
from registry.core.explaining import NEEDED, Explanation, explained
from registry.core.facts import Action, Caller, GivenGrant, Principal
from registry.core.patterns import Pattern, PatternInvalid
from registry.core.people import known
from registry.core.ports import Metadata, Transaction
from registry.core.refusals import Changed, GrantUnknown, PrincipalUnknown, Unfit
from registry.core.rights import ActionsInvalid, Rights, parse_actions
from registry.oci.names import RepositoryName

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class GrantService:
    """The rules; `anonymous_pull` is the setting, which grants something too."""

    metadata: Metadata
    anonymous_pull: bool = False

    def put(
        self,
        subject: str,
        pattern: str,
        actions: Iterable[str],
        by: Caller,
        *,
        denies: bool = False,
        version: int | None = None,
    ) -> GivenGrant:
        """What the subject may do (or may not) on this very pattern, in place of what was said of that before.

        `version` is that of the grant to be replaced, 0 for none. Raises: PrincipalUnknown, Unfit, Changed.
        """
        wanted, words = fit_pattern(pattern), fit_actions(actions)

        def give(tx: Transaction) -> GivenGrant:
            principal = known(tx, subject)
            former = tx.grants.on(principal, wanted, denies=denies)
            if version is not None and version != (former.version if former else 0):
                raise Changed(grant=str(former.grant if former else wanted))
            if former is not None and former.grant.actions == words:
                return former
            uuid = tx.grants.put(principal, wanted, words, by, denies=denies)
            given = tx.grants.find(uuid)
            assert given is not None  # noqa: S101  it was put a line above
            tx.journal.note(Action.PUT_GRANT, by, target=subject, detail=str(given.grant))
            return given

        return self.metadata.transact(give)

    def get(self, uuid: str) -> GivenGrant:
        """Raises: GrantUnknown."""
        return self.metadata.observe(lambda tx: _given(tx, uuid))

    def page(self, last: str, limit: int, subject: str | None = None) -> Sequence[GivenGrant]:
        """After the one of UUID `last`; of one subject, if given. Raises: PrincipalUnknown."""
        return self.metadata.observe(
            lambda tx: tx.grants.page(last, limit, None if subject is None else known(tx, subject))
        )

    def page_for(self, caller: Caller, last: str, limit: int, subject: str | None = None) -> Sequence[GivenGrant]:
        """As `page`, of those that the caller may see. Raises: PrincipalUnknown, to administrators.

        To others a subject that is not there is like one of whose grants they see none.
        """
        if is_admin(caller):
            return self.page(last, limit, subject)
        try:
            return self._seen(caller, last, limit, subject)
        except PrincipalUnknown:
            return []

    def _seen(self, caller: Caller, last: str, limit: int, subject: str | None) -> Sequence[GivenGrant]:
        """The query leaves out what is far from the caller; what is near, the rule decides."""
        seen: list[GivenGrant] = []
        while len(seen) < limit:
            page = self._near(caller, last, subject)
            seen += [each for each in page if may_see(caller, each.grant)]
            if len(page) < _BATCH:
                break
            last = page[-1].grant.uuid
        return seen[:limit]

    def _near(self, caller: Caller, last: str, subject: str | None) -> Sequence[GivenGrant]:
        spans = [each.span for each in caller.rights.administered.stretches]

        def look(tx: Transaction) -> Sequence[GivenGrant]:
            of = None if subject is None else known(tx, subject)
            return tx.grants.near(caller.principal, spans, last, _BATCH, of)

        return self.metadata.observe(look)

    def find(self, subject: str, pattern: str, *, denies: bool) -> GivenGrant | None:
        """By what it says. Raises: PrincipalUnknown, Unfit."""
        wanted = fit_pattern(pattern)
        return self.metadata.observe(lambda tx: tx.grants.on(known(tx, subject), wanted, denies=denies))

    def concerning(self, subject: str) -> Rights:
        """What is granted to it, to its groups and to everybody, by the settings too. Raises: PrincipalUnknown."""
        return self.metadata.observe(lambda tx: self._concerning(tx, known(tx, subject)))

    def remove(self, uuid: str, by: Caller, *, version: int | None = None) -> GivenGrant:
        """What it was. Raises: GrantUnknown, Changed."""

        def take_back(tx: Transaction) -> GivenGrant:
            given = _given(tx, uuid)
            if version is not None and version != given.version:
                raise Changed(grant=str(given.grant))
            tx.grants.remove(uuid)
            tx.journal.note(Action.REMOVE_GRANT, by, target=given.grant.subject, detail=str(given.grant))
            return given

        return self.metadata.transact(take_back)

    def remove_on(self, subject: str, pattern: str, by: Caller, *, denies: bool = False) -> GivenGrant:
        """By what it says; what it was. Raises: PrincipalUnknown, GrantUnknown, Unfit."""
        given = self.find(subject, pattern, denies=denies)
        if given is None:
            raise GrantUnknown(subject=subject, pattern=pattern)
        return self.remove(given.grant.uuid, by)

    def explain(self, subject: str, action: str, repository: RepositoryName) -> Explanation:
        """Why the subject may do this, or may not. Raises: PrincipalUnknown, Unfit."""
        asked = fit_action(action)

        def look(tx: Transaction) -> Explanation:
            principal = known(tx, subject)
            rights = self._concerning(tx, principal)
            return explained(principal, rights, asked, repository, is_expired=_is_expired(principal, tx))

        return self.metadata.observe(look)

    def _concerning(self, tx: Transaction, principal: Principal) -> Rights:
        read = tx.grants.concerning(principal.id)
        always = (PULL_BY_ANYONE,) if self.anonymous_pull else ()
        return Rights((*read.grants, *always), read.is_admin)


def fit_pattern(text: str) -> Pattern:
    """Raises: Unfit."""
    try:
        return Pattern.parse(text)
    except PatternInvalid as error:
        raise Unfit(reason=str(error)) from None


def fit_actions(words: Iterable[str]) -> tuple[str, ...]:
    """Raises: Unfit."""
    try:
        return parse_actions(words)
    except ActionsInvalid as error:
        raise Unfit(reason=str(error)) from None


def fit_action(word: str) -> str:
    """What somebody asks about, by a word that grants are written in. Raises: Unfit."""
    if word not in NEEDED:
        raise Unfit(action=word[:100], reason=f"there are {', '.join(NEEDED)}")
    return word


def _is_expired(principal: Principal, tx: Transaction) -> bool:
    return principal.expires is not None and principal.expires <= tx.now


def _given(tx: Transaction, uuid: str) -> GivenGrant:
    given = tx.grants.find(uuid)
    if given is None:
        raise GrantUnknown(uuid=uuid[:100])
    return given
