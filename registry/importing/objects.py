"""A tree in a bucket, opened for reading and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from registry.core.ports import ObjectLost
from registry.importing.source import Lost, Unreadable
from registry.importing.tree import REPOSITORIES, ROOT
from registry.oci.errors import Unavailable
from registry.storage.s3_tree import S3Tree, S3TreeFile


def find_root(tree: S3Tree) -> str | None:
    """Where the `v2` folder lies, from the root that the registry was configured with or from itself. Raises: Lost."""
    with _saying_why():
        return next((each for each in (f"{ROOT}/", "") if tree.names(f"{each}{REPOSITORIES}")), None)


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """`SourceFile`: an object, streamed."""

    file: S3TreeFile

    @property
    def size(self) -> int:
        """When it was opened."""
        return self.file.size

    def fileno(self) -> None:
        """See the port: it is no file of this machine."""

    def chunks(self) -> Iterator[bytes]:
        """See the port. Raises: Unreadable, Lost."""
        came = 0
        with _saying_why():
            for chunk in self.file.chunks():
                yield chunk
                came += len(chunk)
        if came != self.size:
            raise Unreadable("its data changed while it was read")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.file.__exit__(*details)


@dataclass(frozen=True, slots=True)
class Objects:
    """`Files` below the `v2` folder. Every method raises: Lost."""

    tree: S3Tree
    root: str
    """Empty or with a slash at its end."""

    def names(self, path: str) -> list[str]:
        """See the port."""
        with _saying_why():
            return self.tree.names(self.root + path)

    def read(self, path: str, limit: int) -> bytes | None:
        """See the port."""
        with _saying_why():
            found = self.tree.begins(self.root + path, limit + 1)
        if found is not None and len(found) > limit:
            raise Unreadable(f"it has more than {limit} bytes, which are the most")
        return found

    def open(self, path: str) -> ObjectFile | None:
        """See the port."""
        with _saying_why():
            found = self.tree.open(self.root + path)
        return None if found is None else ObjectFile(found)


@contextmanager
def _saying_why() -> Iterator[None]:
    """Raises: Unreadable for what is gone, Lost when the store does not answer, or not us."""
    try:
        yield
    except ObjectLost:
        raise Unreadable("its data is gone or was replaced while it was read") from None
    except Unavailable as error:
        raise Lost(f"the store does not answer: {error.__cause__ or error}") from error
