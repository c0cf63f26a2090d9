"""What every maker of hashes promises (registry/core/ports.py, `Hashes` and `Hash`)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.facts import HashState
from registry.core.ports import Hash, Hashes
from registry.oci.digest import ALGORITHMS
from registry.storage.hashing import HashlibHashes, LibcryptoHashes
from registry.storage.hashing import hashes as best_hashes


@pytest.fixture(scope="module", params=["libcrypto", "hashlib"])
def hashes(request: pytest.FixtureRequest) -> Hashes:
    if request.param == "hashlib":
        return HashlibHashes()
    best = best_hashes()
    if not isinstance(best, LibcryptoHashes):
        pytest.skip("no libcrypto.so.3 or .so.1.1 whose hash structures we know")
    return best


@pytest.fixture(scope="module", params=list(ALGORITHMS))
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def resumed(hashes: Hashes, state: HashState, read_again: bytes) -> Hash:
    """As an upload session does it: take the hash up, or read again what it was over."""
    known = hashes.load(state)
    if known is None:
        known = hashes.new(state.algorithm)
        known.update(read_again)
    return known


# FIPS 180-4's examples, as NIST's "Examples with Intermediate Values" and "Additional Examples" give them.
EMPTY_256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
EMPTY_512 = (
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)
ABC_256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ABC_512 = (
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
)
MILLION_256 = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
MILLION_512 = (
    "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
    "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"
)


@pytest.mark.parametrize(
    ("name", "message", "digest"),
    [
        ("sha256", b"", EMPTY_256),
        ("sha512", b"", EMPTY_512),
        ("sha256", b"abc", ABC_256),
        ("sha512", b"abc", ABC_512),
        ("sha256", b"a" * 1_000_000, MILLION_256),
        ("sha512", b"a" * 1_000_000, MILLION_512),
    ],
    ids=lambda value: value if value in ALGORITHMS else "",
)
def test_the_digest_is_the_standards(hashes: Hashes, name: str, message: bytes, digest: str) -> None:
    known = hashes.new(name)
    known.update(message)
    assert known.hexdigest() == digest


def test_bytes_one_by_one_have_the_digest_of_the_whole(hashes: Hashes, algorithm: str) -> None:
    message = bytes(range(256)) * 2
    known = hashes.new(algorithm)
    for at in range(len(message)):
        known.update(message[at : at + 1])
    assert known.hexdigest() == hashlib.new(algorithm, message).hexdigest()


@given(chunks=st.lists(st.binary(max_size=300), max_size=8))
def test_chunks_of_any_sizes_have_the_digest_of_the_whole(
    hashes: Hashes, algorithm: str, chunks: Sequence[bytes]
) -> None:
    known = hashes.new(algorithm)
    for chunk in chunks:
        known.update(chunk)
    assert known.hexdigest() == hashlib.new(algorithm, b"".join(chunks)).hexdigest()


def test_asking_for_the_digest_does_not_end_the_hash(hashes: Hashes, algorithm: str) -> None:
    known = hashes.new(algorithm)
    known.update(b"a")
    assert known.hexdigest() == known.hexdigest() == hashlib.new(algorithm, b"a").hexdigest()
    known.update(b"b")
    assert known.hexdigest() == hashlib.new(algorithm, b"ab").hexdigest()


def test_two_hashes_know_nothing_of_each_other(hashes: Hashes, algorithm: str) -> None:
    one, other = hashes.new(algorithm), hashes.new(algorithm)
    one.update(b"one")
    other.update(b"other")
    assert one.hexdigest() == hashlib.new(algorithm, b"one").hexdigest()
    assert other.hexdigest() == hashlib.new(algorithm, b"other").hexdigest()


@given(message=st.binary(max_size=400), data=st.data())
def test_a_hash_saved_at_any_offset_goes_on_as_if_never_saved(
    hashes: Hashes, algorithm: str, message: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(message)), label="saved at")
    first = hashes.new(algorithm)
    first.update(message[:at])
    second = resumed(hashes, first.save(), message[:at])
    second.update(message[at:])
    assert second.hexdigest() == hashlib.new(algorithm, message).hexdigest()


def test_a_state_is_either_whole_or_said_to_be_none(hashes: Hashes, algorithm: str) -> None:
    known = hashes.new(algorithm)
    known.update(b"some bytes")
    state = known.save()
    assert state.algorithm == algorithm
    assert (hashes.load(state) is None) == (state.state is None)


def test_saving_is_no_end_and_a_saved_state_stays_as_it_was(hashes: Hashes, algorithm: str) -> None:
    known = hashes.new(algorithm)
    known.update(b"before ")
    state = known.save()
    known.update(b"after")
    for ending in (b"one", b"another"):
        again = resumed(hashes, state, b"before ")
        again.update(ending)
        assert again.hexdigest() == hashlib.new(algorithm, b"before " + ending).hexdigest()
    assert known.hexdigest() == hashlib.new(algorithm, b"before after").hexdigest()


def test_a_state_of_a_foreign_format_is_not_taken_up(hashes: Hashes, algorithm: str) -> None:
    state = hashes.new(algorithm).save()
    for foreign in ("", "none", "openssl-ctx-2:little", "openssl-ctx-1:middle"):
        assert hashes.load(HashState(algorithm, foreign, state.state or bytes(112))) is None


def test_a_state_that_was_never_saved_is_not_taken_up(hashes: Hashes, algorithm: str) -> None:
    state = hashes.new(algorithm).save()
    assert hashes.load(HashState(algorithm, state.format, None)) is None


def test_a_state_of_an_unknown_algorithm_is_not_taken_up(hashes: Hashes, algorithm: str) -> None:
    state = hashes.new(algorithm).save()
    assert hashes.load(HashState("md5", state.format, state.state)) is None


def test_there_is_no_hash_that_no_digest_can_have(hashes: Hashes) -> None:
    with pytest.raises(KeyError):
        hashes.new("md5")
