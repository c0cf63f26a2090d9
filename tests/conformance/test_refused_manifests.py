"""distribution-spec, Pushing Manifests (end-7a): what is refused, and that it leaves nothing behind."""

from dataclasses import replace

import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import (
    DOCKER,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    Document,
    TinyImage,
    TinyIndex,
    digest_of,
    encode,
    index,
    padded,
    tiny_image,
)

LIMIT = 4 * 2**20
NONDISTRIBUTABLE = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
]


class TestRefusedManifests:
    """end-7a, when it cannot be done."""

    @pytest.mark.parametrize("is_announced", [True, False])
    def test_a_manifest_above_the_limit_is_413(
        self, registry: RegistryClient, repository: str, *, is_announced: bool
    ) -> None:
        """A registry that enforces a limit SHOULD respond to a manifest over it with 413 Payload Too Large."""
        made = tiny_image(repository)
        registry.push_image(repository, made)
        larger = padded(made, LIMIT + 1).manifest
        content = larger if is_announced else [larger[:LIMIT], larger[LIMIT:]]
        answer = registry.push_manifest(repository, "v1", content, OCI_MANIFEST)
        assert is_refused(answer, 413, "MANIFEST_INVALID", "SIZE_INVALID")
        assert registry.manifest(repository, "v1").status_code == 404

    @pytest.mark.parametrize("reference", [digest_of(b"other"), digest_of(b"other", "sha512")])
    def test_a_digest_that_is_not_of_the_manifest_is_refused(
        self, registry: RegistryClient, repository: str, image: TinyImage, reference: str
    ) -> None:
        """Docker-Content-Digest MUST be equal to the client provided digest; DIGEST_INVALID when it cannot be."""
        answer = registry.push_manifest(repository, reference, image.manifest, image.media_type)
        assert is_refused(answer, 400, "DIGEST_INVALID")
        assert registry.manifest(repository, reference).status_code == 404

    @pytest.mark.parametrize("missing", ["config", "layers"])
    def test_a_manifest_of_blobs_that_are_not_there_is_refused(
        self, registry: RegistryClient, repository: str, missing: str
    ) -> None:
        """When a manifest is rejected for this reason, it MUST result in one or more MANIFEST_BLOB_UNKNOWN errors."""
        made = tiny_image(repository, layers=2)
        for blob in made.layers if missing == "config" else (made.config,):
            registry.push_blob(repository, blob)
        answer = registry.push_manifest(repository, "v1", made.manifest, made.media_type)
        assert is_refused(answer, {400, 404}, "MANIFEST_BLOB_UNKNOWN")
        assert registry.manifest(repository, "v1").status_code == 404

    def test_an_index_of_manifests_that_are_not_there_is_refused(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """When a manifest is rejected for this reason, it MUST result in one or more MANIFEST_BLOB_UNKNOWN errors."""
        made = index(image, tiny_image("never pushed"))
        answer = registry.push_manifest(repository, "v2", made.manifest, made.media_type)
        assert is_refused(answer, {400, 404}, "MANIFEST_BLOB_UNKNOWN")

    def test_blobs_of_another_repository_are_not_there(
        self, registry: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """Field-notes, section 4: no cross-repository read through dedupe."""
        made = tiny_image(repository)
        registry.push_image(other_repository, made, "v1")
        answer = registry.push_manifest(repository, "v1", made.manifest, made.media_type)
        assert is_refused(answer, {400, 404}, "MANIFEST_BLOB_UNKNOWN")

    @pytest.mark.parametrize("media_type", NONDISTRIBUTABLE)
    def test_nondistributable_layers_are_never_required(
        self, registry: RegistryClient, repository: str, media_type: str
    ) -> None:
        """Field-notes, section 2: non-distributable layers are never required."""
        made = tiny_image(repository)
        document = made.document
        document["layers"].append(Blob(b"elsewhere", media_type).descriptor() | {"urls": ["https://example.org/l"]})
        registry.push_image(repository, replace(made, manifest=encode(document)), "v1")
        assert registry.manifest(repository, "v1").content == encode(document)

    @pytest.mark.parametrize("said", [OCI_INDEX, DOCKER.manifest, "application/json", "text/plain"])
    def test_a_media_type_other_than_the_content_type_is_refused(
        self, registry: RegistryClient, repository: str, image: TinyImage, said: str
    ) -> None:
        """Field-notes, section 2: a mediaType that differs from the Content-Type is refused (CVE-2021-41190)."""
        answer = registry.push_manifest(repository, "v2", image.manifest, said)
        assert is_refused(answer, 400, "MANIFEST_INVALID")

    @pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, None])
    def test_both_layers_and_manifests_are_refused(
        self, registry: RegistryClient, repository: str, image: TinyImage, media_type: str | None
    ) -> None:
        """Field-notes, section 2: a manifest with both `layers` and `manifests` is refused (CVE-2021-41190)."""
        document: Document = image.document | {"manifests": [image.descriptor()]}
        document |= {} if media_type is None else {"mediaType": media_type}
        if media_type is None:
            del document["mediaType"]
        answer = registry.push_manifest(repository, "v2", encode(document), media_type or OCI_MANIFEST)
        assert is_refused(answer, 400, "MANIFEST_INVALID")

    def test_an_index_pushed_as_an_image_is_refused(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2, the same confusion without a mediaType (CVE-2021-41190)."""
        made = TinyIndex(encode({"schemaVersion": 2, "manifests": [image.descriptor()]}), OCI_MANIFEST)
        answer = registry.push_manifest(repository, "v2", made.manifest, OCI_MANIFEST)
        assert is_refused(answer, 400, "MANIFEST_INVALID")

    def test_a_refused_manifest_leaves_the_tag_where_it_was(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A tag points to a manifest of the repository, before and after."""
        broken = image.document | {"layers": [Blob(b"never pushed", OCI_LAYER).descriptor()]}
        assert registry.push_manifest(repository, "v1", encode(broken), OCI_MANIFEST).is_client_error
        assert registry.manifest(repository, "v1").content == image.manifest
