"""`registry.backup.copying`: what is not right is never whole, and what fails ends the others too."""

from __future__ import annotations

import errno
import io
import threading
from collections.abc import Iterator

import pytest

from registry.backup.copying import CHUNK, Crew, Damaged, Stopped
from registry.core.ports import ObjectLost
from registry.metadata.kept_facts import KeptObject
from registry.oci.digest import Digest
from registry.oci.errors import StorageFull
from registry.storage.layout import new_key

CONTENT = bytes(CHUNK) + b"the end"


def kept(content: bytes = CONTENT, algorithm: str = "sha256", *, size: int | None = None) -> KeptObject:
    digest = Digest.of(content, algorithm)
    return KeptObject(new_key(), len(content) if size is None else size, digest, is_damaged=False)


def nothing() -> None:
    pass


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"", b"x", bytes(CHUNK), CONTENT])
def test_right_bytes_come_all(content: bytes, algorithm: str) -> None:
    assert b"".join(Crew(1).verified(io.BytesIO(content), kept(content, algorithm))) == content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (CONTENT[:-1] + b"X", "its bytes are sha256:"),
        (CONTENT[:-1], f"it has {len(CONTENT) - 1} bytes instead of {len(CONTENT)}"),
        (CONTENT + b"more", f"it has {len(CONTENT) + 4} bytes instead of {len(CONTENT)}"),
        (b"", f"it has 0 bytes instead of {len(CONTENT)}"),
    ],
)
def test_of_wrong_bytes_the_last_never_come(content: bytes, why: str) -> None:
    came: list[bytes] = []
    with pytest.raises(Damaged, match=why):
        came.extend(Crew(1).verified(io.BytesIO(content), kept()))
    assert len(b"".join(came)) < len(CONTENT)


@pytest.mark.parametrize(
    ("error", "why"),
    [(OSError(errno.EIO, "Input/output error"), "it cannot be read: input/output error"), (ObjectLost(), "missing")],
)
def test_what_cannot_be_read_is_damaged(error: Exception, why: str) -> None:
    class Bad(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise error

    with pytest.raises(Damaged, match=why):
        list(Crew(1).verified(Bad(), kept()))


def test_each_is_told_of_in_order_the_damaged_too() -> None:
    objects = [kept(bytes([number])) for number in range(50)]

    def copy(one: KeptObject) -> bool:
        if one is objects[7]:
            raise Damaged("why")
        return one is not objects[8]

    copied = list(Crew(3).each(copy, objects, nothing))
    assert [each.kept for each in copied] == objects
    assert [number for number, each in enumerate(copied) if each.broken] == [7]
    assert [number for number, each in enumerate(copied) if not each.is_new] == [7, 8]
    assert copied[7].broken is not None
    assert copied[7].broken.reason == "why"


def test_not_all_are_taken_up_at_once() -> None:
    taken = 0

    def objects() -> Iterator[KeptObject]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield kept(b"x")

    coming = Crew(2).each(lambda _: True, objects(), nothing)
    next(coming)
    assert taken < 20
    coming.close()  # type: ignore[attr-defined]  # a generator, which a caller that fails leaves


def test_a_failure_ends_what_is_under_way() -> None:
    crew, begun = Crew(2), threading.Event()
    objects = [kept(), kept()]

    class Endless(io.RawIOBase):
        def read(self, _: int = -1, /) -> bytes:
            begun.set()
            return b"x"

    def copy(one: KeptObject) -> bool:
        if one is objects[0]:
            assert begun.wait(60)
            raise StorageFull
        with pytest.raises(Stopped):
            for _ in crew.verified(Endless(), one):  # type: ignore[arg-type]  # all that is asked of it is to be read
                pass
        return True

    with pytest.raises(StorageFull):
        list(crew.each(copy, objects, nothing))


def test_what_has_no_end_is_not_read_to_it() -> None:
    class Device(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return bytes(size or 0)

    came: list[bytes] = []
    with pytest.raises(Damaged, match="bytes instead of"):
        came.extend(Crew(1).verified(Device(), kept()))
    assert len(b"".join(came)) < len(CONTENT)
