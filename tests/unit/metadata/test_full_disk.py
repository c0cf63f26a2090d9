"""A disk that is full: told as such, nothing half done, and gone with the next free room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.metadata.sqlite import SqliteMetadata
from registry.oci.digest import Digest
from registry.oci.errors import StorageFull
from tests.unit.metadata.databases import new_database, opened, rows

pytestmark = pytest.mark.root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"cannot mount a small disk: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(metadata: SqliteMetadata, size: int = 64 * 1024) -> None:
    for number in range(200):
        put(metadata, number.to_bytes(4, "big") + bytes(size))


def put(metadata: SqliteMetadata, content: bytes) -> None:
    metadata.transact(lambda tx: tx.blobs.put_content(Digest.of(content), content))


def test_a_full_disk_is_named_and_keeps_what_was_answered(small_disk: Path) -> None:
    database = new_database(small_disk)
    with opened(database) as metadata:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(512 * 1024))
        with pytest.raises(StorageFull):
            fill(metadata)
        kept = rows(database, "SELECT count(*) FROM blob")
        assert kept > [(0,)]
        # Reading goes on.
        assert metadata.observe(lambda tx: tx.uploads.expired(1)) == []
        ballast.unlink()
        put(metadata, b"after")
        assert rows(database, "SELECT count(*) FROM blob") == [(kept[0][0] + 1,)]
        assert rows(database, "PRAGMA integrity_check") == [("ok",)]
