"""What the handlers may ask: the rules, who is asking, and threads for everything that waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from registry.admin.callers import Callers
from registry.core.auditing import AuditService
from registry.core.collect_plan import Plan
from registry.core.collector_service import CollectorService
from registry.core.credentials import CredentialService
from registry.core.explained_usage import UsageService
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.quota_service import QuotaService
from registry.core.repositories import RepositoryService
from registry.core.repository_rights import RepositoryRights
from registry.core.retaining import RetentionPlanner
from registry.core.ruling import RuleService
from registry.core.scrub_status import ScrubService
from registry.core.searching import SearchService
from registry.core.undo import UndoService
from registry.core.witness import Witness

T = TypeVar("T")
P = ParamSpec("P")


class InThread(Protocol):
    """A bounded pool of threads."""

    async def __call__(self, work: Callable[..., T], /, *arguments: object) -> T:
        """Run `work` in a thread; what it raises is raised here."""
        ...


@dataclass(frozen=True, slots=True)
class Administration:
    """Everything behind the API."""

    callers: Callers
    people: PeopleService
    grants: GrantService
    credentials: CredentialService
    search: SearchService
    may: RepositoryRights
    repositories: RepositoryService
    undo: UndoService
    quotas: QuotaService
    usage: UsageService
    audit: AuditService
    scrub: ScrubService
    immutable_rules: RuleService
    retention_rules: RuleService
    retention: RetentionPlanner
    collector: CollectorService
    plan: Plan
    in_thread: InThread
    witness: Witness

    async def ask(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """One question to the rules, in a thread."""
        return await self.in_thread(partial(work, *arguments, **options))
