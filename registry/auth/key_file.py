"""The key file: 32 random bytes beside the data, without which the signing keys in the database are noise.

A sealed signing key, AES-256-GCM with the head as associated data:

    offset 0        1      44      56
           format   kid    nonce   sealed JSON and tag: created, not_before, expires (ISO 8601), private (PKCS 8, PEM)
           ╰──── head ───╯
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.auth.keys import SigningKey

SIZE: Final = 32
_FORMAT: Final = b"\x01"
_HEAD: Final = 44
_NONCE: Final = 12
# To read as its group is how a service that is not root gets what root keeps for it (Kubernetes' fsGroup).
_TOO_OPEN: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


class KeyFileError(Exception):
    """A key file that cannot be used: missing rights or too many of them, not a file, or not 32 bytes."""


class UnreadableKey(Exception):
    """A sealed key that was altered, or sealed under another key file."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The secret under which signing keys are kept; neither its repr nor an error tells it."""

    secret: bytes = field(repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The secret at `path`; where there is none, a new one, the same for all processes that start at once.

        Raises: KeyFileError.
        """
        try:
            if not path.exists():
                _create(path)
            return cls(_read(path))
        except OSError as error:
            raise KeyFileError(f"key file {path}: {(error.strerror or str(error)).lower()}") from error

    def seal(self, key: SigningKey) -> bytes:
        """The key as the database may keep it."""
        head, nonce = _FORMAT + key.kid.encode(), secrets.token_bytes(_NONCE)
        return head + nonce + AESGCM(self.secret).encrypt(nonce, _plain(key), head)

    def unseal(self, sealed: bytes) -> SigningKey:
        """The key that was sealed. Raises: UnreadableKey."""
        head, nonce, body = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
        if len(nonce) != _NONCE or not head.startswith(_FORMAT):
            raise UnreadableKey("a sealed signing key of an unknown format")
        try:
            key = _parse(AESGCM(self.secret).decrypt(nonce, body, head))
        except InvalidTag as error:
            raise UnreadableKey("a signing key that was altered or sealed under another key file") from error
        if key.kid.encode() != head[1:]:
            raise UnreadableKey(f"signing key {key.kid} sealed under another name")
        return key


def _plain(key: SigningKey) -> bytes:
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    instants = {name: getattr(key, name).isoformat() for name in ("created", "not_before", "expires")}
    return json.dumps(instants | {"private": pem.decode()}).encode()


def _parse(plain: bytes) -> SigningKey:
    facts = json.loads(plain)
    private = serialization.load_pem_private_key(facts["private"].encode(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise UnreadableKey("a sealed key that is not of an elliptic curve")
    created, not_before, expires = (
        datetime.fromisoformat(facts[name]) for name in ("created", "not_before", "expires")
    )
    return SigningKey.of(private, created, not_before, expires)


def _read(path: Path) -> bytes:
    # Rights are read from the opened file: what was looked at is what is used. O_NONBLOCK, or a pipe would hold us up.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"key file {path} is not a file")
        if status.st_uid not in {0, os.geteuid()}:
            raise KeyFileError(f"key file {path} belongs neither to us nor to root")
        if status.st_mode & _TOO_OPEN:
            raise KeyFileError(
                f"key file {path} is open to others than its owner and those who read as its group: chmod 600 it"
            )
        secret = file.read(SIZE + 1)
    if len(secret) != SIZE:
        raise KeyFileError(f"key file {path} does not hold {SIZE} bytes")
    return secret


def _create(path: Path) -> None:
    """Give `path` a new secret unless another process does so first; nobody ever sees a part of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: the first process wins, and the others read what it wrote.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    # A loser of the race comes here as well: it too may not go on before the winner's name is durable.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
