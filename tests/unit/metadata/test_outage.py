"""Patience with a database that does not answer is one patience, whoever comes meanwhile."""

from __future__ import annotations

from registry.metadata.outage import Outage


def test_who_comes_later_waits_no_longer_than_who_came_first() -> None:
    outage = Outage(patience=1000)
    outage.goes_on()
    ends = outage.ends()
    outage.goes_on()
    assert outage.ends() == ends


def test_once_it_answers_patience_begins_anew() -> None:
    outage = Outage(patience=1000)
    outage.goes_on()
    ends = outage.ends()
    outage.is_over()
    assert outage.ends() > ends


def test_who_comes_after_patience_has_ended_still_asks() -> None:
    outage = Outage(patience=-1000)
    before = outage.ends()
    outage.goes_on()
    assert outage.ends() > before + 1000
