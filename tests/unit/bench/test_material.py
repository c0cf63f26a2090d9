"""What is pushed is what its digest says, in one piece and framed."""

import hashlib
import os

import pytest

from tests.bench.material import CHUNK, Blob, Material, Pieces, Sizes, digest_of


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(Sizes.rehearsal())


def content(pieces: Pieces) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else os.pread(piece.file, piece.length, piece.start) for piece in pieces
    )


def unframed(body: bytes) -> bytes:
    """The body inside a chunked one, which must end where the body ends (RFC 9112, Chunked Transfer Coding)."""
    found: list[bytes] = []
    while True:
        line, _, body = body.partition(b"\r\n")
        if not (size := int(line, 16)):
            assert body == b"\r\n"
            return b"".join(found)
        assert body[size : size + 2] == b"\r\n"
        found.append(body[:size])
        body = body[size + 2 :]


def test_a_fresh_blob_has_the_digest_it_tells_in_either_form(material: Material) -> None:
    blob = material.fresh()

    assert digest_of(content(blob.pieces)) == blob.digest
    assert digest_of(unframed(content(blob.framed))) == blob.digest
    assert len(content(blob.pieces)) == blob.length == material.sizes.pushed


def test_no_two_fresh_blobs_are_the_same(material: Material) -> None:
    assert material.fresh().digest != material.fresh().digest


def test_a_chunk_is_as_long_as_those_of_usual_clients(material: Material) -> None:
    assert content(material.fresh().framed).startswith(b"%x\r\n" % CHUNK)


@pytest.mark.parametrize("name", ["medium", "large"])
def test_blobs_to_pull_have_the_digest_they_tell(material: Material, name: str) -> None:
    blob: Blob = getattr(material, name)

    assert "sha256:" + hashlib.sha256(content(blob.pieces)).hexdigest() == blob.digest
    assert blob.length == getattr(material.sizes, name)


def test_the_image_names_its_blobs(material: Material) -> None:
    assert all(blob.digest.encode() in material.image.content for blob in material.image.blobs)
    assert 1000 < len(material.image.content) < 4096
