"""What rules over tags have in common: a rule is named by what it is about, repositories and tags.

Whatever is put there replaces what was said before, so that the same PUT again changes nothing; the UUID is its name
for reading and taking back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field, StringConstraints

from registry.admin.texts import ONE_LINE, PatternText, Strict
from registry.admin.versions import Condition
from registry.core.administration import demand_no_limits, may_administer
from registry.core.facts import Caller
from registry.core.granting import fit_pattern
from registry.core.patterns import Pattern
from registry.core.refusals import TagRuleUnknown
from registry.core.ruling import RuleService, fit_tags
from registry.core.tag_patterns import LONGEST, TagPatterns
from registry.core.tag_rules import GivenRule, TagRule

TagsText = Annotated[
    str,
    StringConstraints(max_length=LONGEST, pattern=ONE_LINE),
    Field(description="patterns of tags with spaces between, `*` is any run of characters", examples=["v* latest"]),
]


class ShownRule(BaseModel):
    """A rule as it stands."""

    uuid: UUID
    repositories: str
    tags: str
    exceptions: str
    enabled: bool
    sentence: str = Field(description="the same for people")
    created: datetime
    by: str


class RuleWanted(Strict):
    """What is said of the tags."""

    exceptions: TagsText = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """What a rule is about: at most one of each kind stands there."""

    repositories: Pattern
    tags: TagPatterns

    def put(self, rules: RuleService, wanted: TagRule, by: Caller, condition: Condition) -> tuple[GivenRule, bool]:
        """What stands there now, and whether nothing did. Raises: as `RuleService.put`."""
        former = rules.find(self.repositories, self.tags)
        return rules.put(wanted, by, version=condition.version(former)), former is None


async def _place(
    repositories: Annotated[PatternText, Query(description="a pattern of repositories")],
    tags: Annotated[TagsText, Query()] = "*",
) -> Place:
    return Place(fit_pattern(repositories), fit_tags(tags))


Placed = Annotated[Place, Depends(_place)]


def shown(given: GivenRule) -> dict[str, object]:
    """What every kind shows."""
    rule = given.rule
    return {
        "uuid": UUID(rule.uuid),
        "repositories": rule.repositories.text,
        "tags": rule.tags.text,
        "exceptions": rule.exceptions.text,
        "enabled": rule.is_enabled,
        "sentence": str(rule),
        "created": given.created,
        "by": given.by,
    }


def seen(rules: RuleService, uuid: UUID, caller: Caller) -> GivenRule:
    """One that is the caller's to make. Raises: Unauthorized, Denied, TagRuleUnknown."""
    demand_no_limits(caller)
    given = rules.get(str(uuid))
    if not may_administer(caller, given.rule.repositories):
        raise TagRuleUnknown(uuid=str(uuid))
    return given


def remove(rules: RuleService, uuid: UUID, caller: Caller, condition: Condition) -> GivenRule:
    """What it was. Raises: Unauthorized, Denied, TagRuleUnknown, Changed."""
    given = seen(rules, uuid, caller)
    return rules.remove(str(uuid), caller, version=condition.version(given))
