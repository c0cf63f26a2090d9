"""Reading the audit log: pages, and exports that verify by themselves."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from registry.core.audit import Mark, Wanted
from registry.core.audit_chain import links_of, walk
from registry.core.facts import Outcome
from registry.core.patterns import Pattern
from registry.core.refusals import Unfit
from registry.core.sealing import Sealed
from tests.unit.core.audit_log import Log

# Exports


def test_an_export_verifies_by_itself_and_without_this_program(chain: Log) -> None:
    lines = chain.exported()
    verified = walk(links_of(lines), keep_since=None)
    assert (verified.holds, verified.seals, verified.events) == (True, 3, 8)
    seal = json.loads(lines[0])
    assert hashlib.sha256(b"".join(lines[1:4])).hexdigest() == seal["events_hash"]
    told = f"{seal['previous']} {seal['made']} {seal['events']} {seal['events_hash']}\n"
    assert hashlib.sha256(told.encode()).hexdigest() == seal["hash"]
    assert lines[-2] == b'{"seal":null}\n'
    assert json.loads(lines[-1])["target"] == "i"


def test_an_export_that_was_changed_does_not_verify(chain: Log) -> None:
    lines = chain.exported()
    for number in range(len(lines) - 2):
        without = [*lines[:number], *lines[number + 1 :]]
        assert not walk(links_of(without), keep_since=None).holds
        changed = [*lines[:number], lines[number].replace(b"0", b"1"), *lines[number + 1 :]]
        assert not walk(links_of(changed), keep_since=None).holds


def test_a_span_is_exported_by_whole_seals(chain: Log) -> None:
    (at,) = chain.sql("SELECT at FROM event WHERE id = 5")[0]
    event = next(each for each in chain.audit.page() if each.id == 5)
    wanted = Wanted(since=event.at, until=event.at + timedelta(microseconds=1))
    documents = [json.loads(line) for line in chain.exported(wanted)]
    assert [each.get("id", "seal") for each in documents] == ["seal", 4, 5]
    assert walk(links_of(chain.exported(wanted)), previous=None, keep_since=None).holds
    assert at


def test_what_is_sealed_during_an_export_is_in_it(chain: Log) -> None:
    export = chain.audit.export()
    lines = [next(export) for _ in range(4)]
    assert chain.seal() == Sealed(1)
    chain.write("j")
    lines += export
    assert walk(links_of(lines), keep_since=None).events == 9
    assert json.loads(lines[-1])["target"] == "j"


# Pages


def test_pages_are_newest_first_and_go_on_behind_the_last(chain: Log) -> None:
    seen, after = [], None
    while page := chain.audit.page(after, 4):
        seen += [each.target for each in page]
        after = str(Mark.behind(page[-1]))
    assert seen == list("ihgfedcba")


def test_events_of_one_instant_are_each_on_one_page(chain: Log) -> None:
    chain.sql("UPDATE event SET at = 1")
    seen, after = [], None
    while page := chain.audit.page(after, 2):
        seen += [each.id for each in page]
        after = str(Mark.behind(page[-1]))
    assert seen == list(range(9, 0, -1))


@pytest.mark.parametrize("after", ["", "7", "20260101T000000.000000Z", "20269901T000000.000000Z-1", "x" * 400, "-"])
def test_a_mark_that_is_none_is_refused(log: Log, after: str) -> None:
    with pytest.raises(Unfit):
        log.audit.page(after)


def test_what_is_wanted_must_all_fit(chain: Log) -> None:
    chain.sql("UPDATE event SET repository = 'team/app', who = 'bob' WHERE id IN (2, 7)")
    chain.write("z", outcome=Outcome.DENIED)

    def found(wanted: Wanted) -> str:
        return "".join(each.target for each in chain.audit.page(wanted=wanted))

    third = next(each for each in chain.audit.page() if each.id == 3)
    assert found(Wanted(who="bob")) == "gb"
    assert found(Wanted(who="bob", since=third.at)) == "g"
    assert found(Wanted(until=third.at)) == "ba"
    assert found(Wanted(since=third.at, until=third.at)) == ""
    assert found(Wanted(repository=Pattern.parse("team/**"))) == "gb"
    assert found(Wanted(repository=Pattern.parse("te*"))) == ""
    assert found(Wanted(outcome=Outcome.DENIED)) == "z"
    assert found(Wanted(action="tag.set")) == ""
    assert found(Wanted(action="principal.add", outcome=Outcome.DENIED)) == "z"
