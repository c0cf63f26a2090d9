"""`registry.backup.hold`: the sweeper's lease, as long as a backup takes and not a moment longer."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from registry.backup.hold import Hold, held
from registry.core.tenure import Tenure, TenureLost
from registry.oci.errors import Unavailable
from tests.unit.backup.backups import Watching
from tests.unit.core.house import House
from tests.unit.metadata.databases import rows


def tenure(house: House, holder: str, span: timedelta = timedelta(minutes=5)) -> Tenure:
    return Tenure(house.metadata, "sweep", holder, span)


def until(house: House) -> int:
    return int(rows(house.database, "SELECT until FROM lease")[0][0])


def test_it_is_taken_and_given_back(house: House) -> None:
    watcher = Watching()
    with held(tenure(house, "ours"), watcher.waits) as hold:
        assert house.sweeper.tenure.take() is None
        hold.check()
        hold.confirm()
    assert house.sweeper.tenure.take() is not None
    assert watcher.waited == 0


def test_it_is_given_back_by_who_fails(house: House) -> None:
    with pytest.raises(Unavailable), held(tenure(house, "ours"), Watching().waits):
        raise Unavailable
    assert house.sweeper.tenure.take() is not None


def test_a_sweep_under_way_is_waited_for_and_that_is_told_once(house: House) -> None:
    fence = house.sweeper.tenure.take()
    assert fence is not None
    told: list[str] = []

    def waits() -> None:
        told.append("waiting")
        # From here on it has an end.
        threading.Timer(0.05, house.sweeper.tenure.release, [fence]).start()

    with held(tenure(house, "ours"), waits) as hold:
        hold.confirm()
    assert told == ["waiting"]


def test_it_is_put_off_while_it_is_held(house: House) -> None:
    with held(tenure(house, "ours", timedelta(milliseconds=50)), Watching().waits) as hold:
        first, patience = until(house), threading.Event()
        while until(house) == first:
            patience.wait(0.01)
        hold.check()


def test_who_comes_back_under_the_same_name_need_not_wait(house: House) -> None:
    """As after a kill: the lease is still in its hands."""
    former = tenure(house, "ours").take()
    watcher = Watching()
    with held(tenure(house, "ours"), watcher.waits) as hold:
        hold.confirm()
    assert watcher.waited == 0
    assert former is not None


def test_a_lease_that_somebody_else_has_is_known_to_be_lost(house: House, place: Path) -> None:
    with held(tenure(house, "ours", timedelta(milliseconds=50)), Watching().waits) as hold:
        rows(house.database, "UPDATE lease SET holder = 'theirs', fence = fence + 1, until = until + 60000000")
        with pytest.raises(TenureLost):
            hold.confirm()
        with pytest.raises(TenureLost):
            _check_for_ever(hold)
    assert rows(house.database, "SELECT holder, until > 0 FROM lease") == [("theirs", 1)]


def _check_for_ever(hold: Hold) -> None:
    patience = threading.Event()
    while True:
        hold.check()
        patience.wait(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lease_that_nobody_puts_off_any_more_counts_as_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_: Hold) -> None:
        raise LookupError

    monkeypatch.setattr(Hold, "confirm", break_down)
    with (
        held(tenure(house, "ours", timedelta(milliseconds=50)), Watching().waits) as hold,
        pytest.raises(TenureLost),
    ):
        _check_for_ever(hold)
