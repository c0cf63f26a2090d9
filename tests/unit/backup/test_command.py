"""`registry.cli_backup`: what the person who backs up reads, and what a program does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner, Result

from registry import cli_backup
from registry.cli import main
from registry.cli_backup import BROKEN, NEXT
from registry.oci.digest import Digest
from registry.storage.layout import Layout
from tests.unit.backup.backups import INSTANCE, KEY, key_of, whole_in
from tests.unit.core.house import House

CONTENT = bytes(9000)


@pytest.fixture
def data(house: House) -> Path:
    """A data folder that was served, of one object."""
    Layout.load_or_create(house.folder, INSTANCE)
    (house.folder / "key").write_bytes(KEY)
    house.push_blob(CONTENT, large=True)
    return house.folder


def entrepot(verb: str, path: Path, data: Path, *more: str) -> Result:
    return CliRunner().invoke(main, [verb, str(path), "--data", str(data), *more])


def test_the_report_ends_with_the_sums(data: Path, place: Path) -> None:
    first, second = (entrepot("backup", place / "backup", data) for _ in range(2))
    at = whole_in(place / "backup").at
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert second.stdout.splitlines() == [
        f"instance {INSTANCE}, as it was at {at}",
        "repositories 0, manifests 0, tags 0, blobs 1",
        "objects: 0 copied (0 bytes), 1 already there (8.8 KiB), 0 no longer needed removed",
        "nothing is broken",
        f"the backup in {place / 'backup'} is whole",
    ]
    assert second.stderr == "objects: 1, 8.8 KiB\n"
    restored = entrepot("restore", place / "backup", place / "new")
    assert restored.stdout.splitlines()[2:] == [
        "objects: 1 copied (8.8 KiB), 0 already there (0 bytes)",
        "nothing is broken",
        NEXT,
    ]


def test_json_holds_what_people_read(house: House, data: Path, place: Path) -> None:
    key = key_of(house, CONTENT)
    (data / str(key)).unlink()
    result = entrepot("backup", place / "backup", data, "--json")
    assert result.exit_code == BROKEN == 3
    assert json.loads(result.stdout) == {
        "instance": INSTANCE,
        "at": whole_in(place / "backup").at,
        "repositories": 0,
        "manifests": 0,
        "tags": 0,
        "blobs": 1,
        "objects": {"copied": 0, "present": 0, "removed": 0},
        "bytes": {"copied": 0, "present": 0},
        "broken": [{"digest": str(Digest.of(CONTENT)), "key": str(key), "reason": "it is missing"}],
        "known": [],
    }


def test_what_is_broken_is_told_first_and_counted_last(house: House, data: Path, place: Path) -> None:
    key = key_of(house, CONTENT)
    (data / str(key)).unlink()
    lines = entrepot("backup", place / "backup", data).stdout.splitlines()
    assert lines[0] == f"broken: {Digest.of(CONTENT)}, {key}: it is missing"
    assert lines[-2:] == ["broken: 1", f"the backup in {place / 'backup'} lacks what is broken"]
    house.metadata.transact(lambda tx: tx.blobs.mark_damaged(Digest.of(CONTENT), key))
    known = entrepot("backup", place / "backup", data)
    assert known.exit_code == 0
    assert known.stdout.splitlines()[0] == f"damaged before: {Digest.of(CONTENT)}, {key}: it is marked damaged"


def test_the_key_file_comes_along_unless_it_is_left_out(data: Path, place: Path) -> None:
    entrepot("backup", place / "with", data)
    entrepot("backup", place / "without", data, "--without-key")
    for name, key in (("with", KEY), ("without", None)):
        entrepot("restore", place / name, place / f"new-{name}")
        file = place / f"new-{name}" / "key"
        assert (file.read_bytes() if file.exists() else None) == key


def test_a_mistyped_store_is_not_backed_up_as_one_that_lost_everything(data: Path, place: Path) -> None:
    entrepot("backup", place / "backup", data)
    before = whole_in(place / "backup")
    (data / "layout.json").unlink()
    refused = entrepot("backup", place / "backup", data)
    assert (refused.exit_code, refused.stderr) == (
        1,
        "error: no registry has ever used this store: is it the right one?\n",
    )
    assert not (data / "layout.json").exists()
    assert whole_in(place / "backup") == before


def test_a_restore_of_facts_that_is_killed_has_left_the_key_before_the_facts(
    data: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        assert (place / "new/key").read_bytes() == KEY
        raise KeyboardInterrupt

    entrepot("backup", place / "backup", data)
    monkeypatch.setattr("registry.backup.restore.put_facts", killed)
    assert entrepot("restore", place / "backup", place / "new", "--database-only").exit_code == 1
    assert (place / "new/key").exists()


def test_an_interrupt_leaves_no_draft_and_gives_the_lease_back(
    house: House, data: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_backup.Lines, "advances", interrupted)
    assert entrepot("backup", place / "backup", data).exit_code == 1
    assert not list((place / "backup").glob(".facts*"))
    assert not (place / "backup/backup.json").exists()
    assert house.sweeper.tenure.take() is not None


def test_a_terminal_sees_a_bar_of_bytes(data: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, str]] = []

    class Bar:
        def __init__(self, **told: object) -> None:
            shown.append((int(str(told["length"])), str(told["label"])))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            shown.append((0, "done"))

        def update(self, size: int) -> None:
            shown.append((size, "more"))

    monkeypatch.setattr("click.progressbar", Bar)
    monkeypatch.setattr(cli_backup, "_is_terminal", lambda: True)
    entrepot("backup", place / "backup", data)
    assert shown == [(9000, "backing up"), (9000, "more"), (0, "done")]
