"""Digests: what is one, what is none, and how they are packed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.oci.digest import ALGORITHMS, Digest, is_algorithm
from registry.oci.errors import DigestInvalid

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
digests = st.builds(Digest.of, st.binary(max_size=20), st.sampled_from(sorted(ALGORITHMS)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        EMPTY,
        f"sha256:{EMPTY[:-1]}",
        f"sha256:{EMPTY}0",
        f"sha256:{EMPTY.upper()}",
        f"SHA256:{EMPTY}",
        f"sha512:{EMPTY}",
        f"sha256:{EMPTY * 2}",
        f"sha384:{EMPTY}",
        f"sha256+b64u:{EMPTY}",
        f" sha256:{EMPTY}",
        f"sha256:{EMPTY}\n",
        f"sha256:{EMPTY[:-1]}g",
        f"sha256:{EMPTY[:-1]}\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_what_is_not_a_digest_is_refused(text: str) -> None:
    with pytest.raises(DigestInvalid):
        Digest.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_digest_or_refused_and_a_refusal_repeats_only_its_beginning(text: str) -> None:
    try:
        parsed = Digest.parse(text)
    except DigestInvalid as error:
        told = error.detail
    else:
        parsed_text, told = str(parsed), {"digest": text[:200]}
        assert parsed_text == text
    assert told["digest"] == text[:200]


@given(digests)
def test_text_and_packed_form_lead_back_to_the_digest(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest
    assert Digest.unpack(digest.packed) == digest
    assert len(digest.packed) == 1 + ALGORITHMS[digest.algorithm]


@given(st.sets(digests, max_size=8))
def test_packed_digests_sort_as_their_texts_do(some: set[Digest]) -> None:
    assert [Digest.unpack(each) for each in sorted(digest.packed for digest in some)] == sorted(some, key=str)


def test_the_byte_of_an_algorithm_never_changes() -> None:
    # They are kept in every row that names a digest.
    assert [Digest.of(b"", each).packed[0] for each in ("sha256", "sha512")] == [1, 2]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_digest_names_its_bytes(algorithm: str) -> None:
    assert Digest.of(b"bytes", algorithm).hex == hashlib.new(algorithm, b"bytes").hexdigest()
    assert is_algorithm(algorithm)


@pytest.mark.parametrize("name", ["", "md5", "sha384", "SHA256", "sha3_256"])
def test_no_other_algorithm_is_computed(name: str) -> None:
    assert not is_algorithm(name)
