"""What a server keeps on its disk, seen from beside it: objects are files below blobs/; no more is known of them."""

from pathlib import Path

from tests.support.server import RunningServer
from tests.system.waiting import eventually


def objects_of(server: RunningServer) -> dict[Path, int]:
    """Every object with its size, in use or waiting to be deleted."""
    return dict(filter(None, map(_with_size, (server.data / "blobs").rglob("*"))))


def object_of_size(server: RunningServer, size: int) -> Path:
    """The one object of that size, once those that it replaced are deleted."""
    eventually(f"there is one object of {size} bytes", lambda: list(objects_of(server).values()).count(size) == 1)
    return next(file for file, has in objects_of(server).items() if has == size)


def wait_for_bytes(server: RunningServer, more_than: int = 0) -> None:
    """Until the server has put so much of some upload on its disk: a request that it has not read disturbs nobody."""
    eventually(
        f"more than {more_than} bytes are on disk", lambda: max(objects_of(server).values(), default=0) > more_than
    )


def _with_size(path: Path) -> tuple[Path, int] | None:
    """None for a folder, and for what was deleted while we looked."""
    try:
        return (path, path.stat().st_size) if path.is_file() else None
    except FileNotFoundError:
        return None
