"""What the database keeps for all processes under a name, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from registry.core.ports import Metadata
from registry.metadata.postgres import PostgresMetadata
from registry.metadata.sqlite import SqliteMetadata
from tests.support.postgres import postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, metadata: SqliteMetadata) -> Iterator[Metadata]:
    if request.param == "sqlite":
        yield metadata
        return
    with postgres_server().database() as url, closing(PostgresMetadata(url)) as elsewhere:
        yield elsewhere


def test_a_value_is_found_until_it_is_removed(kept: Metadata) -> None:
    assert kept.observe(lambda tx: tx.settings.find("paused")) is None
    kept.transact(lambda tx: tx.settings.put("paused", "why"))
    assert kept.observe(lambda tx: tx.settings.find("paused")) == "why"
    kept.transact(lambda tx: tx.settings.remove("paused"))
    assert kept.observe(lambda tx: tx.settings.find("paused")) is None


def test_the_last_value_that_was_put_is_the_value(kept: Metadata) -> None:
    for value in ("first", "second", ""):
        kept.transact(lambda tx, value=value: tx.settings.put("which", value))  # type: ignore[misc]  # a default is how a lambda keeps it
        assert kept.observe(lambda tx: tx.settings.find("which")) == value


def test_an_initial_value_is_kept_only_where_there_is_none(kept: Metadata) -> None:
    assert kept.transact(lambda tx: [tx.settings.get_or_put("instance", each) for each in ("a", "b")]) == ["a", "a"]
    kept.transact(lambda tx: tx.settings.put("instance", "c"))
    assert kept.transact(lambda tx: tx.settings.get_or_put("instance", "d")) == "c"


def test_removing_what_is_not_there_is_no_error_and_touches_nothing_else(kept: Metadata) -> None:
    kept.transact(lambda tx: tx.settings.put("stays", "here"))
    kept.transact(lambda tx: tx.settings.remove("never was"))
    assert kept.observe(lambda tx: tx.settings.find("stays")) == "here"
