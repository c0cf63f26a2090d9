"""The distribution API as calls: a method per endpoint, each returning the answer as it came.

Nothing here judges an answer, apart from `push_blob`, `push_image` and `tag`: they set a test's scene, and insist.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import httpx

from tests.support.images import OCTETS, Blob, Pushable, TinyImage

Headers = Mapping[str, str]
Parameters = Mapping[str, str | int | list[str]]
NONE: Headers = {}


@dataclass(frozen=True, slots=True)
class RegistryClient:
    """One caller at one registry; who is calling is `http`'s affair (tests/support/login.py)."""

    http: httpx.Client

    def request(
        self, method: str, target: str, parameters: Parameters | None = None, **options: object
    ) -> httpx.Response:
        """Any request; `target` is a path, or a `Location` as it came, to whose query `parameters` are added."""
        # httpx replaces a query by `params`, and a Location's own must be kept (distribution-spec, POST then PUT).
        url = httpx.URL(target).copy_merge_params(parameters) if parameters else target
        return self.http.request(method, url, **options)  # type: ignore[arg-type]  # httpx's own twenty keywords

    def base(self) -> httpx.Response:
        """end-1."""
        return self.request("GET", "/v2/")

    # Pull

    def blob(self, repository: str, digest: str, method: str = "GET", headers: Headers = NONE) -> httpx.Response:
        """end-2."""
        return self.request(method, f"/v2/{repository}/blobs/{digest}", headers=headers)

    def manifest(self, repository: str, reference: str, method: str = "GET", headers: Headers = NONE) -> httpx.Response:
        """end-3."""
        return self.request(method, f"/v2/{repository}/manifests/{reference}", headers=headers)

    # Push

    def start_upload(self, repository: str, **parameters: str) -> httpx.Response:
        """end-4a; end-4c with `algorithm`."""
        named = {name.replace("_", "-"): value for name, value in parameters.items()}
        return self.request("POST", f"/v2/{repository}/blobs/uploads/", parameters=named)

    def push_at_once(self, repository: str, digest: str, data: bytes) -> httpx.Response:
        """end-4b: one POST."""
        return self.request(
            "POST",
            f"/v2/{repository}/blobs/uploads/",
            parameters={"digest": digest},
            content=data,
            headers={"Content-Type": OCTETS},
        )

    def mount(self, repository: str, digest: str, source: str | None = None) -> httpx.Response:
        """end-11; without `source` wherever the registry finds it."""
        parameters = {"mount": digest} | ({} if source is None else {"from": source})
        return self.request("POST", f"/v2/{repository}/blobs/uploads/", parameters=parameters)

    def patch(
        self, location: str, data: bytes | Iterable[bytes], at: int | str | None = None, headers: Headers = NONE
    ) -> httpx.Response:
        """end-5: a chunk; `at` is its offset, or a whole `Content-Range`. An iterable's length is not announced."""
        content = data if isinstance(data, bytes) else iter(data)
        return self.request("PATCH", location, content=content, headers={**_chunk_headers(data, at), **headers})

    def close_upload(
        self, location: str, digest: str, data: bytes | Iterable[bytes] = b"", at: int | str | None = None
    ) -> httpx.Response:
        """end-6, with the last chunk or the whole blob, if any."""
        content = data if isinstance(data, bytes) else iter(data)
        return self.request(
            "PUT", location, parameters={"digest": digest}, content=content, headers=_chunk_headers(data, at)
        )

    def upload_status(self, location: str) -> httpx.Response:
        """end-13."""
        return self.request("GET", location)

    def cancel_upload(self, location: str) -> httpx.Response:
        """end-14."""
        return self.request("DELETE", location)

    def push_manifest(
        self,
        repository: str,
        reference: str,
        manifest: bytes | Iterable[bytes],
        media_type: str | None = None,
        *,
        tags: Iterable[str] = (),
        headers: Headers = NONE,
    ) -> httpx.Response:
        """end-7a; end-7b with `tags`."""
        named = {} if media_type is None else {"Content-Type": media_type}
        named_tags: Parameters = {"tag": wanted} if (wanted := list(tags)) else {}
        return self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            parameters=named_tags,
            content=manifest if isinstance(manifest, bytes) else iter(manifest),
            headers={**named, **headers},
        )

    # Discover and manage

    def tags(self, repository: str, **parameters: str | int) -> httpx.Response:
        """end-8."""
        return self.request("GET", f"/v2/{repository}/tags/list", parameters=parameters)

    def referrers(self, repository: str, digest: str, artifact_type: str | None = None) -> httpx.Response:
        """end-12."""
        parameters = {} if artifact_type is None else {"artifactType": artifact_type}
        return self.request("GET", f"/v2/{repository}/referrers/{digest}", parameters=parameters)

    def catalog(self, **parameters: str | int) -> httpx.Response:
        """The list of repositories, which docker's registries have and the specification left out."""
        return self.request("GET", "/v2/_catalog", parameters=parameters)

    def delete_manifest(self, repository: str, reference: str) -> httpx.Response:
        """end-9; by tag it is the tag that goes."""
        return self.request("DELETE", f"/v2/{repository}/manifests/{reference}")

    def delete_blob(self, repository: str, digest: str) -> httpx.Response:
        """end-10."""
        return self.request("DELETE", f"/v2/{repository}/blobs/{digest}")

    def pages(self, first: httpx.Response) -> Iterator[httpx.Response]:
        """`first` and every page that its `Link` leads to."""
        page: httpx.Response | None = first
        while page is not None:
            yield page
            following = page.links.get("next", {}).get("url")
            page = self.request("GET", following) if following else None

    # Set the scene

    def push_blob(self, repository: str, blob: Blob) -> httpx.Response:
        """One POST, and the PUT that a registry asks for which does not take that; the last answer."""
        answer = self.push_at_once(repository, blob.digest, blob.data)
        if answer.status_code == httpx.codes.ACCEPTED:
            answer = self.close_upload(answer.headers["location"], blob.digest, blob.data)
        return _insist(answer, httpx.codes.CREATED)

    def push_image(self, repository: str, image: Pushable, *references: str) -> httpx.Response:
        """Everything in it, then its manifest under each reference (none: its digest); the last answer."""
        if isinstance(image, TinyImage):
            for blob in image.blobs:
                self.push_blob(repository, blob)
        else:
            for child in image.children:
                self.push_image(repository, child)
        pushed = [self.tag(repository, reference, image) for reference in references or (image.digest,)]
        return pushed[-1]

    def tag(self, repository: str, reference: str, image: Pushable) -> httpx.Response:
        """Its manifest alone, under one reference."""
        answer = self.push_manifest(repository, reference, image.manifest, image.media_type)
        return _insist(answer, httpx.codes.CREATED)


def _chunk_headers(data: bytes | Iterable[bytes], at: int | str | None) -> dict[str, str]:
    named = {"Content-Type": OCTETS}
    if isinstance(at, str):
        named["Content-Range"] = at
    elif at is not None and isinstance(data, bytes):
        named["Content-Range"] = f"{at}-{at + len(data) - 1}"
    return named


def _insist(answer: httpx.Response, status: int) -> httpx.Response:
    if answer.status_code != status:
        asked = answer.request
        message = f"{asked.method} {asked.url} answered {answer.status_code}, not {status}: {answer.text[:500]}"
        raise AssertionError(message)
    return answer
