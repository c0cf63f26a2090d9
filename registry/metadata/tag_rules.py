"""Queries: rules over tags."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.facts import Caller
from registry.core.keeps import Keeps
from registry.core.patterns import Pattern
from registry.core.tag_patterns import TagPatterns
from registry.core.tag_rules import GivenRule, RuleKind, TagRule
from registry.metadata.instants import from_micros
from registry.metadata.moment import Moment
from registry.metadata.recognition import bump
from registry.metadata.schema import generation
from registry.metadata.schema_people import principal
from registry.metadata.schema_rules import tag_rule
from registry.metadata.statements import Row

_RULES: Final = "tag_rules"
_GENERATION: Final = sa.select(generation.c.value).where(generation.c.name == p("name"))
_SHOWN: Final = (
    sa.select(
        tag_rule.c.kind,
        tag_rule.c.repositories,
        tag_rule.c.tags,
        tag_rule.c.exceptions,
        tag_rule.c.keeps,
        tag_rule.c.is_enabled,
        tag_rule.c.uuid,
        tag_rule.c.created_at,
        principal.c.name,
        tag_rule.c.version,
    )
    .select_from(tag_rule.join(principal, principal.c.id == tag_rule.c.created_by))
    .where(tag_rule.c.kind == p("kind"))
)
_ENABLED: Final = _SHOWN.where(tag_rule.c.is_enabled == p("yes")).order_by(tag_rule.c.id)
_FIND: Final = _SHOWN.where(tag_rule.c.uuid == p("uuid"))
_ON: Final = _SHOWN.where(tag_rule.c.repositories == p("repositories"), tag_rule.c.tags == p("tags"))
_PAGE: Final = _SHOWN.where(tag_rule.c.uuid > p("last")).order_by(tag_rule.c.uuid).limit(p("limit"))
_SAID: Final = ("exceptions", "keeps", "is_enabled", "created_at", "created_by")
_ADD: Final = sa.insert(tag_rule).values({each: p(each) for each in ("uuid", "kind", "repositories", "tags", *_SAID)})
_CHANGE: Final = (
    sa.update(tag_rule)
    .where(tag_rule.c.uuid == p("which"))
    .values({each: p(each) for each in _SAID} | {"version": tag_rule.c.version + 1})
)
_REMOVE: Final = sa.delete(tag_rule).where(tag_rule.c.uuid == p("uuid"))


class TagRules:
    """`nouns.TagRules`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def generation(self) -> int:
        """Another number after every change."""
        row = self._moment.first(_GENERATION, name=_RULES)
        return int(row[0]) if row else 0

    def hold_all(self) -> None:
        """By the generation's row, for which whoever else wants to change a rule waits."""
        self._moment.run(bump, name=_RULES)

    def enabled(self, kind: RuleKind) -> Sequence[TagRule]:
        """All that are in force, the oldest first."""
        return [_as_given(row).rule for row in self._moment.run(_ENABLED, kind=kind.value, yes=True)]

    def find(self, kind: RuleKind, uuid: str) -> GivenRule | None:
        """The one of this UUID."""
        row = self._moment.first(_FIND, kind=kind.value, uuid=uuid)
        return _as_given(row) if row else None

    def on(self, kind: RuleKind, repositories: Pattern, tags: TagPatterns) -> GivenRule | None:
        """The one about these very repositories and tags."""
        row = self._moment.first(_ON, kind=kind.value, repositories=repositories.text, tags=tags.text)
        return _as_given(row) if row else None

    def put(self, rule: TagRule, by: Caller) -> GivenRule:
        """The next version of the one with its UUID; a new one where it has none."""
        said = {
            "exceptions": rule.exceptions.text,
            "keeps": rule.keeps.text,
            "is_enabled": rule.is_enabled,
            "created_at": self._moment.micros,
            "created_by": by.principal,
        }
        known_as = rule.uuid or str(uuid.uuid4())
        if rule.uuid:
            self._moment.run(_CHANGE, which=known_as, **said)
        else:
            about = {"kind": rule.kind.value, "repositories": rule.repositories.text, "tags": rule.tags.text}
            self._moment.run(_ADD, uuid=known_as, **about, **said)
        return _as_given(self._moment.run(_FIND, kind=rule.kind.value, uuid=known_as)[0])

    def remove(self, uuid: str) -> None:
        """It says nothing any more."""
        self._moment.run(_REMOVE, uuid=uuid)

    def page(self, kind: RuleKind, last: str, limit: int) -> Sequence[GivenRule]:
        """After the one of UUID `last`."""
        return [_as_given(row) for row in self._moment.run(_PAGE, kind=kind.value, last=last, limit=limit)]


def _as_given(row: Row) -> GivenRule:
    kind, repositories, tags, exceptions, keeps, is_enabled, uuid_, created, by, version = row
    rule = TagRule(
        RuleKind(kind),
        Pattern.parse(repositories),
        TagPatterns.parse(tags),
        TagPatterns.parse(exceptions),
        Keeps.parse(keeps),
        bool(is_enabled),
        uuid_,
    )
    return GivenRule(rule, from_micros(created), by, version)
