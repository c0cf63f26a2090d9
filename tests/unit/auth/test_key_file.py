"""The key file, and signing keys sealed with it."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.key_file import SIZE, KeyFile, KeyFileError, UnreadableKey
from registry.auth.keys import SigningKey

SECRET = KeyFile(bytes(range(SIZE)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key"


def test_a_new_key_file_holds_32_random_bytes_for_its_owner_alone(path: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = KeyFile.load_or_create(path)
    finally:
        os.umask(before)
    assert path.read_bytes() == made.secret
    assert len(made.secret) == SIZE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]  # no draft stays behind
    assert KeyFile.load_or_create(tmp_path / "other").secret != made.secret


def test_a_key_file_is_read_and_never_rewritten(path: Path) -> None:
    made = KeyFile.load_or_create(path)
    before = path.stat()
    assert KeyFile.load_or_create(path) == made
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_processes_that_start_at_once_have_the_same_secret(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        for attempt in range(8):
            path = tmp_path / str(attempt)
            assert len({made.secret for made in pool.map(KeyFile.load_or_create, [path] * 8)}) == 1
    assert len(list(tmp_path.iterdir())) == 8


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o660, 0o620, 0o610, 0o644, 0o777])
def test_a_key_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    KeyFile.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="open to others"):
        KeyFile.load_or_create(path)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_key_file_that_its_group_reads_is_taken(path: Path, mode: int) -> None:
    made = KeyFile.load_or_create(path)
    path.chmod(mode)
    assert KeyFile.load_or_create(path) == made


def test_a_key_file_of_somebody_else_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KeyFile.load_or_create(path)
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyFileError, match="neither to us nor to root"):
        KeyFile.load_or_create(path)


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE + 1])
def test_a_key_file_of_another_size_is_refused(path: Path, size: int) -> None:
    path.write_bytes(b"s" * size)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="does not hold 32 bytes"):
        KeyFile.load_or_create(path)


def test_what_is_not_a_file_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileError, match="is not a file"):
        KeyFile.load_or_create(path)
    path.unlink()
    path.mkdir(0o700)
    with pytest.raises(KeyFileError, match=str(path)):
        KeyFile.load_or_create(path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="absent/key: no such file"):
        KeyFile.load_or_create(tmp_path / "absent" / "key")


def test_a_link_to_nothing_is_refused_and_left_as_it_is(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "nothing")
    with pytest.raises(KeyFileError, match="no such file"):
        KeyFile.load_or_create(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_sealed_key_comes_back_whole(key: SigningKey) -> None:
    again = SECRET.unseal(SECRET.seal(key))
    assert again == key  # kid and instants
    assert again.private.private_numbers() == key.private.private_numbers()
    assert again.public.public_numbers() == key.public.public_numbers()


def test_a_sealed_key_shows_nothing_and_no_two_are_alike(key: SigningKey) -> None:
    sealed = SECRET.seal(key)
    assert b"PRIVATE" not in sealed
    assert key.private.private_numbers().private_value.to_bytes(32, "big") not in sealed
    assert sealed != SECRET.seal(key)


def test_another_key_file_does_not_unseal(key: SigningKey) -> None:
    with pytest.raises(UnreadableKey, match="another key file"):
        KeyFile(bytes(SIZE)).unseal(SECRET.seal(key))


def test_a_sealed_key_does_not_pass_under_another_name(key: SigningKey) -> None:
    sealed = SECRET.seal(key)
    other = SigningKey.generate(key.created, key.not_before)
    with pytest.raises(UnreadableKey):
        SECRET.unseal(sealed[:1] + other.kid.encode() + sealed[44:])


def test_a_key_sealed_under_a_name_not_its_own_is_refused(key: SigningKey) -> None:
    false = SigningKey("x" * 43, key.private, key.public, key.created, key.not_before, key.expires)
    with pytest.raises(UnreadableKey, match="another name"):
        SECRET.unseal(SECRET.seal(false))


@given(st.data())
def test_no_altered_byte_goes_unseen(key: SigningKey, data: st.DataObject) -> None:
    sealed = bytearray(SECRET.seal(key))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnreadableKey):
        SECRET.unseal(bytes(sealed))


@given(st.data())
def test_no_cut_goes_unseen(key: SigningKey, data: st.DataObject) -> None:
    sealed = SECRET.seal(key)
    with pytest.raises(UnreadableKey):
        SECRET.unseal(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_no_key(data: bytes) -> None:
    with pytest.raises(UnreadableKey):
        SECRET.unseal(data)


def test_a_key_file_does_not_print_its_secret() -> None:
    assert repr(SECRET) == "KeyFile()"
