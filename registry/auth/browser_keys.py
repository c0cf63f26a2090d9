"""What a browser is given to keep: sealed, where it must not be read, and marks on forms, which only we can have made.

The keys come from the key file, one for each purpose, so every worker and replica opens what another one sealed.

    a sealed text, base64url of    offset 0    12
                                       nonce   AES-256-GCM of the plain bytes, and tag; the purpose is associated data
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.auth.key_file import SIZE, KeyFile

_NONCE: Final = 12
# A cookie of more than 4096 bytes no browser keeps.
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class BrowserKeys:
    """Two keys; the repr tells neither."""

    sealing: bytes = field(repr=False)
    marking: bytes = field(repr=False)

    @classmethod
    def of(cls, key_file: KeyFile) -> Self:
        """Derived; whoever has them has not the key file's secret."""
        return cls(_derived(key_file, b"entrepot browser: seal"), _derived(key_file, b"entrepot browser: mark"))

    def seal(self, purpose: str, plain: bytes) -> str:
        """What a cookie may hold."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.sealing).encrypt(nonce, plain, purpose.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def unseal(self, purpose: str, text: str) -> bytes | None:
        """What was sealed for this purpose; None for anything else."""
        if not text.isascii() or len(text) > _LONGEST:
            return None
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return AESGCM(self.sealing).decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
        except (ValueError, InvalidTag):
            return None

    def mark(self, secret: str) -> str:
        """What a form carries that was given to who has this secret in a cookie."""
        return hmac.new(self.marking, secret.encode(), "sha256").hexdigest()

    def is_mark(self, text: str, secret: str) -> bool:
        """Whether it is, in a time that tells nothing."""
        return hmac.compare_digest(text.encode(), self.mark(secret).encode())


def _derived(key_file: KeyFile, purpose: bytes) -> bytes:
    return HKDF(SHA256(), SIZE, salt=None, info=purpose).derive(key_file.secret)
