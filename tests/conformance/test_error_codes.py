"""distribution-spec, Error Codes: each code that a client can bring about, and the form of what tells it."""

from collections.abc import Callable

import httpx
import pytest

from tests.conformance.claims import CODES, codes_of
from tests.conformance.deployments import Deployment, Standing
from tests.support.client import RegistryClient
from tests.support.images import OCI_MANIFEST, digest_of, tiny_image

ABSENT = digest_of(b"never pushed")

Provoke = Callable[[RegistryClient, Standing], httpx.Response]


def upload(registry: RegistryClient, standing: Standing) -> str:
    """A new session in the repository."""
    location: str = registry.start_upload(standing.repository).headers["location"]
    return location


def push(registry: RegistryClient, standing: Standing, manifest: bytes) -> httpx.Response:
    """A manifest that will be refused."""
    return registry.push_manifest(standing.repository, "refused", manifest, OCI_MANIFEST)


# How to be refused with each code, and the status that goes with it.
REFUSALS: dict[tuple[str, int], Provoke] = {
    ("BLOB_UNKNOWN", 404): lambda registry, at: registry.blob(at.repository, ABSENT),
    ("BLOB_UPLOAD_INVALID", 416): lambda registry, at: registry.patch(upload(registry, at), b"late", at=7),
    ("BLOB_UPLOAD_UNKNOWN", 404): lambda registry, at: registry.upload_status(f"{upload(registry, at)[:-4]}0000"),
    ("DIGEST_INVALID", 400): lambda registry, at: registry.push_at_once(at.repository, ABSENT, b"other"),
    ("MANIFEST_BLOB_UNKNOWN", 404): lambda registry, at: push(registry, at, tiny_image("never pushed").manifest),
    ("MANIFEST_INVALID", 400): lambda registry, at: push(registry, at, b"{"),
    ("MANIFEST_UNKNOWN", 404): lambda registry, at: registry.manifest(at.repository, "absent"),
    ("NAME_INVALID", 400): lambda registry, _: registry.manifest("Not-A-Name", "v1"),
    ("NAME_UNKNOWN", 404): lambda registry, at: registry.tags(f"{at.repository}-absent"),
    ("UNSUPPORTED", 405): lambda registry, at: registry.delete_blob(at.repository, at.image.config.digest),
}


@pytest.mark.parametrize(("code", "status"), REFUSALS)
class TestErrorCodes:
    """One refusal of each kind."""

    def test_the_code_is_the_one_for_the_condition(
        self, registry: RegistryClient, standing: Standing, code: str, status: int
    ) -> None:
        """The `code` field MUST be one of the following; each has its condition."""
        answer = REFUSALS[code, status](registry, standing)
        assert (answer.status_code, codes_of(answer)) == (status, [code])

    def test_the_body_is_in_the_format(
        self, registry: RegistryClient, standing: Standing, code: str, status: int
    ) -> None:
        """If the response body is in JSON format, it MUST have the following format."""
        answer = REFUSALS[code, status](registry, standing)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["content-length"] == str(len(answer.content))
        body = answer.json()
        assert set(body) == {"errors"}
        for error in body["errors"]:
            assert {"code", "message"} <= set(error) <= {"code", "message", "detail"}
            assert error["message"]

    def test_a_refusal_leaves_the_connection_usable(
        self, registry: RegistryClient, standing: Standing, code: str, status: int
    ) -> None:
        """Field-notes, section 1: clients go on after a refusal, often on the same connection."""
        assert REFUSALS[code, status](registry, standing).status_code == status
        assert registry.manifest(standing.repository, "v1").content == standing.image.manifest


class TestTheList:
    """The list is closed."""

    def test_the_table_above_leaves_out_only_what_needs_rights_or_load(self) -> None:
        """A code that can be provoked by anybody has its row."""
        elsewhere = {"SIZE_INVALID", "UNAUTHORIZED", "DENIED", "TOOMANYREQUESTS"}
        assert {code for code, _ in REFUSALS} == CODES - elsewhere

    def test_a_manifest_names_everything_that_is_missing(self, registry: RegistryClient, standing: Standing) -> None:
        """It MUST result in one or more MANIFEST_BLOB_UNKNOWN errors; docker prints them."""
        made = tiny_image("never pushed", layers=3)
        answer = push(registry, standing, made.manifest)
        assert set(codes_of(answer)) == {"MANIFEST_BLOB_UNKNOWN"}
        assert all(blob.digest in answer.text for blob in made.blobs)

    def test_who_is_not_known_is_unauthorized(self, guarded: Deployment, repository: str) -> None:
        """code-11."""
        answer = guarded.anonymous().manifest(repository, "v1")
        assert (answer.status_code, codes_of(answer)) == (401, ["UNAUTHORIZED"])
