"""A short soak: what ten minutes of `make soak` do to every database and store, a few seconds of two of them."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.soak.ground import ground
from tests.soak.soak import Pace, soak
from tests.support.s3 import S3Server

SECONDS = 12

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(("database", "store"), [("sqlite", "filesystem"), ("postgresql", "s3")])
def test_many_push_and_delete_while_workers_die_and_nothing_is_lost_or_left(
    database: str, store: str, tmp_path: Path, s3_server: S3Server
) -> None:
    short = {"lease": timedelta(seconds=4), "window": timedelta(seconds=2), "expiry": timedelta(seconds=5)}
    pace = Pace(timedelta(seconds=SECONDS), people=16, seed=5, **short)
    with ground(tmp_path, database, store, pace.settings, replicas=3, s3=s3_server) as place:
        minutes = soak(place, pace)
    assert minutes.complaints == []
    assert {"workers killed", "manifests pushed", "manifests deleted", "pulls of what is surely there"} <= {
        deed for deed, count in minutes.deeds.items() if count
    }
