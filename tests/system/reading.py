"""What a registry holds, read by a client of the tests' own: every digest is computed anew from the bytes that came."""

import hashlib
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@dataclass(frozen=True)
class Registry:
    """A registry that clients can reach: where, whether by TLS, and who may push."""

    host: str
    credentials: tuple[str, str] | None = None
    authority: Path | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.authority else 'http'}://{self.host}"

    def http(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.authority)) if self.authority else False
        return httpx.Client(
            base_url=self.url, auth=self.credentials, verify=trust, trust_env=False, follow_redirects=True, timeout=60
        )

    def digest(self, name: str, reference: str) -> str:
        """The digest of the bytes that a GET of the manifest answers."""
        with self.http() as http:
            return _digest(_manifest(http, name, reference).content)

    def manifest(self, name: str, reference: str) -> dict[str, Any]:
        with self.http() as http:
            document: dict[str, Any] = _manifest(http, name, reference).json()
            return document

    def contents(self, name: str, reference: str) -> dict[str, bytes]:
        """Every manifest and blob below `reference`, by digest; bytes that are not what they are called fail."""
        with self.http() as http:
            return dict(_contents(http, name, reference))

    def tags(self, name: str) -> list[str]:
        with self.http() as http:
            answer = http.get(f"/v2/{name}/tags/list").raise_for_status()
            tags: list[str] = answer.json()["tags"]
            return tags


def _contents(http: httpx.Client, name: str, reference: str) -> Iterator[tuple[str, bytes]]:
    data = _manifest(http, name, reference).content
    yield _named(reference, data), data
    document = json.loads(data)
    for child in document.get("manifests", ()):
        yield from _contents(http, name, child["digest"])
    config = [document["config"]] if "config" in document else []
    for descriptor in [*config, *document.get("layers", ())]:
        body = http.get(f"/v2/{name}/blobs/{descriptor['digest']}").raise_for_status().content
        yield _named(descriptor["digest"], body), body


def _manifest(http: httpx.Client, name: str, reference: str) -> httpx.Response:
    answer = http.get(f"/v2/{name}/manifests/{reference}", headers={"Accept": ", ".join(MANIFESTS)}).raise_for_status()
    assert answer.headers["docker-content-digest"] == _digest(answer.content)
    return answer


def _named(reference: str, data: bytes) -> str:
    """The digest of `data`, which must be `reference` when that is a digest."""
    digest = _digest(data)
    assert digest == reference or ":" not in reference, f"{reference} came as {digest}"
    return digest


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
