"""Queries: what projects use, written and looked at as the last thing of each transaction (design §4).

    tally ─▶ the counter of each project ─▶ limits? ─▶ expired sessions end, where there is no room ─▶ refused, or told

All that was refused is rolled back, so what is refused may be looked at when it is written already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Action, ContentKind, Repository
from registry.core.quota import Claim, Growth, Resource, Scope
from registry.metadata.journal import Journal
from registry.metadata.limits import IS_LIMITED, Account, Bounds, Limits
from registry.metadata.moment import Moment
from registry.metadata.schema import project, project_content
from registry.metadata.schema_rules import quota
from registry.metadata.statements import Row
from registry.metadata.uploads import Uploads
from registry.oci.digest import Digest

_ACCOUNT: Final = (project.c.id, project.c.name, project.c.owner_id, project.c.used)
_CHARGE: Final = (
    sa.update(project)
    .where(project.c.id == p("project"))
    .values(used=project.c.used + p("more"))
    .returning(*_ACCOUNT, IS_LIMITED)
)
# Where nobody has a limit of any of these, there is nothing to hold it for.
_IS_LIMITED_IN: Final = sa.exists().where(quota.c.resource.in_([p(each.value) for each in Resource]))
_HOLD: Final = sa.select(*_ACCOUNT).where(project.c.id == p("project"), _IS_LIMITED_IN).with_for_update(key_share=True)
_CHARGES: Final = sa.select(project_content.c.links).where(
    project_content.c.project_id == p("project"),
    project_content.c.kind == p("of_kind"),
    project_content.c.digest == p("which"),
    project_content.c.size == p("of_size"),
)
_MOST_LAPSED: Final = 500


class Quotas:
    """`nouns.Quotas`, and what settles the transaction's tally."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._limits = Limits(moment)
        self._journal = Journal(moment)
        self._uploads = Uploads(moment)

    def charges(self, repository: Repository, digest: Digest, size: int) -> bool:
        """Whether the project has the blob, which has this size, so that more of it costs nothing."""
        which = {"of_kind": ContentKind.BLOB.value, "which": digest.packed, "of_size": size}
        return bool(self._moment.run(_CHARGES, project=repository.project, **which))

    def room(self, repository: Repository, wanted: int) -> int | None:
        """How many bytes more fit; None where nothing bounds them. No others come in before the transaction ends."""
        account = self._hold(repository.project, [Resource.BYTES])
        bounds = [each for each in self._limits.of(account) if _hard(each) is not None] if account else []
        if account is None or not bounds:
            return None
        room = self._room(bounds)
        if room < wanted and self._end_lapsed(account):
            room = self._room(bounds)
        return room

    def settle(self) -> None:
        """To be called when everything else of the transaction is done. Raises: QuotaExceeded."""
        # All projects before any owner: so is the order in which everybody locks.
        settled = [(self._charge(which, growth), growth) for which, growth in self._moment.tally.take()]
        for account, growth in settled:
            if account is not None and growth.wanted:
                self._check(account, growth)

    def _charge(self, which: int, growth: Growth) -> Account | None:
        """The project, where limits may concern it."""
        if not growth.bytes:
            return self._hold(which, growth.wanted) if growth.wanted else None
        *account, is_limited = self._moment.run(_CHARGE, project=which, more=growth.bytes)[0]
        return Account(*account) if is_limited else None

    def _hold(self, which: int, resources: Collection[Resource]) -> Account | None:
        wanted = {each.value: each.value if each in resources else "" for each in Resource}
        row: Row | None = self._moment.first(_HOLD, project=which, **wanted)
        return Account(*row) if row else None

    def _check(self, account: Account, growth: Growth) -> None:
        for bounds in self._limits.of(account):
            for claim in self._claims(account, bounds, growth):
                self._refuse(account, bounds, claim, growth)
                self._warn(bounds, claim, growth)

    def _claims(self, account: Account, bounds: Bounds, growth: Growth) -> Iterator[Claim]:
        for resource, more in growth.wanted.items():
            limit = bounds.limits.get(resource)
            if limit is not None:
                is_known = resource is Resource.BYTES and bounds.holder.scope is Scope.PROJECT
                used = account.used if is_known else self._limits.used(bounds, resource)
                yield Claim(bounds.holder, resource, limit, used, more)

    def _refuse(self, account: Account, bounds: Bounds, claim: Claim, growth: Growth) -> None:
        """Raises: QuotaExceeded."""
        if claim.resource is Resource.BYTES:
            # What was reserved before is no news.
            claim = replace(claim, more=growth.bytes)
            if claim.is_refused and self._end_lapsed(account):
                claim = replace(claim, used=self._limits.used(bounds, claim.resource))
        if claim.is_refused:
            raise claim.refusal()

    def _warn(self, bounds: Bounds, claim: Claim, growth: Growth) -> None:
        if claim.resource is Resource.BYTES and claim.is_beyond:
            # Of what may come to nothing, nobody is told, nor of what expired sessions had before they were in the way.
            used = self._limits.used(bounds, claim.resource) - self._limits.reserved(bounds)
            claim = replace(claim, used=used, more=growth.charged)
        if claim.is_beyond:
            self._moment.notices.append(claim.warning())
        if claim.crosses and self._moment.by is not None:
            self._journal.note(Action.WARN_QUOTA, self._moment.by, target=str(claim.holder), detail=claim.warning())

    def _room(self, bounds: list[Bounds]) -> int:
        return max(0, min((_hard(each) or 0) - self._limits.used(each, Resource.BYTES) for each in bounds))

    def _end_lapsed(self, account: Account) -> bool:
        """End the project's sessions whose time is over, with what they reserved; whether that gave anything back."""
        tally = self._moment.tally
        added = tally.take()
        for session in self._uploads.lapsed(account.id, _MOST_LAPSED):
            self._uploads.remove(session)
        given_back = tally.take()
        for which, growth in given_back:
            self._charge(which, growth)
        for which, growth in added:
            tally.add(which, growth)
        return bool(given_back)


def _hard(bounds: Bounds) -> int | None:
    limit = bounds.limits.get(Resource.BYTES)
    return limit.hard if limit else None
