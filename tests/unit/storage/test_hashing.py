"""libcrypto's structures: every offset, no foreign ones, and what happens without them."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import os
import struct
import subprocess
import sys
import tracemalloc

import pytest

from registry.core.facts import HashState
from registry.oci.digest import ALGORITHMS
from registry.storage import hashing
from registry.storage.hashing import FORMAT, HashlibHashes, LibcryptoHashes, hashes


@pytest.fixture(scope="module")
def libcrypto() -> LibcryptoHashes:
    best = hashes()
    if not isinstance(best, LibcryptoHashes):
        pytest.skip("no libcrypto.so.3 or .so.1.1 whose hash structures we know")
    return best


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_hash_is_taken_up_at_every_offset_of_three_blocks(libcrypto: LibcryptoHashes, algorithm: str) -> None:
    message = bytes(range(256)) + bytes(range(128))
    expected = hashlib.new(algorithm, message).hexdigest()
    for at in range(len(message) + 1):
        first = libcrypto.new(algorithm)
        first.update(message[:at])
        second = libcrypto.load(first.save())
        assert second is not None
        second.update(message[at:])
        assert second.hexdigest() == expected


@pytest.mark.parametrize(("algorithm", "size"), [("sha256", 112), ("sha512", 216)])
def test_a_state_is_as_long_as_drawn(libcrypto: LibcryptoHashes, algorithm: str, size: int) -> None:
    state = libcrypto.new(algorithm).save()
    assert state.format == FORMAT == f"openssl-ctx-1:{sys.byteorder}"
    assert state.state is not None
    assert len(state.state) == size


def test_a_state_of_another_length_is_not_taken_up(libcrypto: LibcryptoHashes) -> None:
    state = libcrypto.new("sha256").save().state
    assert state is not None
    for wrong in (b"", state[:-1], state + b"\0", libcrypto.new("sha512").save().state):
        assert libcrypto.load(HashState("sha256", FORMAT, wrong)) is None


@pytest.mark.parametrize(("algorithm", "block"), [("sha256", 64), ("sha512", 128)])
def test_a_state_that_would_write_beyond_its_block_is_not_taken_up(
    libcrypto: LibcryptoHashes, algorithm: str, block: int
) -> None:
    state = libcrypto.new(algorithm).save().state
    assert state is not None

    def with_ending(fill: int, digest_size: int) -> HashState:
        return HashState(algorithm, FORMAT, state[:-8] + struct.pack("=II", fill, digest_size))

    size = ALGORITHMS[algorithm]
    assert libcrypto.load(with_ending(block - 1, size)) is not None
    assert libcrypto.load(with_ending(block, size)) is None
    assert libcrypto.load(with_ending(2**32 - 1, size)) is None
    assert libcrypto.load(with_ending(0, size + 1)) is None


TAKING_UP = """
import sys
from registry.core.facts import HashState
from registry.storage.hashing import hashes

algorithm, format, state = sys.argv[1:]
known = hashes().load(HashState(algorithm, format, bytes.fromhex(state)))
known.update(b"another process")
print(known.hexdigest())
"""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_hash_is_taken_up_by_another_process(libcrypto: LibcryptoHashes, algorithm: str) -> None:
    known = libcrypto.new(algorithm)
    known.update(b"one process and ")
    state = known.save()
    assert state.state is not None
    other = subprocess.run(
        [sys.executable, "-c", TAKING_UP, state.algorithm, state.format, state.state.hex()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        capture_output=True,
        text=True,
    )
    assert other.stdout.strip() == hashlib.new(algorithm, b"one process and another process").hexdigest()


def test_updating_copies_nothing(libcrypto: LibcryptoHashes) -> None:
    data = bytes(8 << 20)
    known = libcrypto.new("sha256")
    tracemalloc.start()
    try:
        known.update(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


# Without a libcrypto that we know


def test_without_libcrypto_hashes_are_hashlibs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_LIBRARIES", ("libcrypto.so.absent",))
    assert isinstance(hashes(), HashlibHashes)


def test_a_library_without_these_calls_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_LIBRARIES", ("libc.so.6",))
    assert isinstance(hashes(), HashlibHashes)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("difference", [-8, 8])
def test_a_library_whose_structure_has_another_size_is_passed_over(
    libcrypto: LibcryptoHashes, monkeypatch: pytest.MonkeyPatch, algorithm: str, difference: int
) -> None:
    real = libcrypto._functions

    def drawn_wrongly(name: str) -> LibcryptoHashes:
        return LibcryptoHashes(
            dataclasses.replace(each, size=each.size + difference) if each.algorithm == algorithm else each
            for each in real.values()
        )

    monkeypatch.setattr(hashing, "_load", drawn_wrongly)
    assert isinstance(hashes(), HashlibHashes)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_library_that_writes_outside_its_structure_is_passed_over(
    libcrypto: LibcryptoHashes, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    real = libcrypto._functions

    def update(context: ctypes.Array[ctypes.c_char], data: bytes, length: int) -> int:
        context[real[algorithm].size] = b"\0"
        return real[algorithm].update(context, data, length)

    functions = {**real, algorithm: dataclasses.replace(real[algorithm], update=update)}
    monkeypatch.setattr(hashing, "_load", lambda name: LibcryptoHashes(functions.values()))
    assert isinstance(hashes(), HashlibHashes)


def test_a_library_that_reckons_wrongly_is_passed_over(
    libcrypto: LibcryptoHashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = libcrypto._functions
    swapped = dataclasses.replace(real["sha256"], update=lambda context, data, length: 1)
    monkeypatch.setattr(hashing, "_load", lambda name: LibcryptoHashes([swapped, real["sha512"]]))
    assert isinstance(hashes(), HashlibHashes)
