"""Certificates for a test's TLS: an authority made on the spot and one certificate for the loopback."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: what a server presents, its key, and the authority that a client must trust."""

    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def make(cls, folder: Path, *names: str) -> Self:
        """For `127.0.0.1`, `::1`, `localhost` and `names`."""
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1", "::1", "localhost", *names)
        authority.cert_pem.write_to_path(made.authority)
        leaf.private_key_pem.write_to_path(made.key)
        made.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        return made

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.authority))
