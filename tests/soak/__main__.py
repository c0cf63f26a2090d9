"""The command: `python -m tests.soak`."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from tests.soak.ground import DATABASES, STORES, ground
from tests.soak.soak import Pace, soak


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nobody has anything to complain about."""
    options = _parser().parse_args(arguments)
    pace = Pace(timedelta(minutes=options.minutes), options.people, options.seed)
    status = 0
    for database in options.database or DATABASES:
        for store in options.store or STORES:
            _tell(f"{database} and {store}, {options.minutes:g} minutes, {options.people} people, seed {pace.seed}")
            with (
                tempfile.TemporaryDirectory(prefix="entrepot-soak-", dir=options.folder) as folder,
                ground(Path(folder), database, store, pace.settings, options.replicas) as place,
            ):
                minutes = soak(place, pace)
            for deed, count in sorted(minutes.deeds.items()):
                _tell(f"  {count:8} {deed}")
            for complaint in minutes.complaints:
                _tell(f"  COMPLAINT {complaint}")
            status |= bool(minutes.complaints)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Pushes, pulls and deletes at replicas that are killed and collect all the while; "
        "nothing may be lost, nothing miscounted, nothing left.",
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long people push and delete (10)")
    parser.add_argument("--people", type=int, default=16, help="how many at once (16)")
    parser.add_argument("--replicas", type=int, default=3, help="servers of one worker each (3)")
    parser.add_argument("--database", action="append", choices=DATABASES, help="over which (each in turn)")
    parser.add_argument("--store", action="append", choices=STORES, help="over which (each in turn)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="whose deeds are done")  # noqa: S311
    parser.add_argument("--folder", type=Path, help="where all of it lies for the while")
    return parser


def _tell(what: str) -> None:
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Ended from outside, too, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
