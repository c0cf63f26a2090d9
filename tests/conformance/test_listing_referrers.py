"""distribution-spec, Listing Referrers (end-12a, end-12b)."""

from typing import Any

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import (
    DOCKER,
    OCI_INDEX,
    OCI_MANIFEST,
    Blob,
    Pushable,
    TinyImage,
    artifact,
    digest_of,
    index,
    tiny_image,
)

SBOM, SIGNATURE = "application/vnd.example.sbom.v1", "application/vnd.example.signature.v1"
EMPTY_LIST = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The descriptors of a page."""
    assert answer.status_code == 200, answer.text
    descriptors: list[dict[str, Any]] = answer.json()["manifests"]
    return descriptors


def digests(answer: httpx.Response) -> set[str]:
    """The digests of a page, each of which must stand there once."""
    found = [descriptor["digest"] for descriptor in listed(answer)]
    assert len(set(found)) == len(found)
    return set(found)


class TestTheList:
    """end-12a."""

    def test_it_is_an_image_index(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """The response MUST be an image index, its Content-Type `application/vnd.oci.image.index.v1+json`."""
        registry.push_image(repository, artifact(SBOM, subject=image))
        answer = registry.referrers(repository, image.digest)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == OCI_INDEX
        assert answer.json()["schemaVersion"] == 2
        assert answer.json()["mediaType"] == OCI_INDEX

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.usefixtures("image")
    def test_of_an_unknown_digest_it_is_empty(self, registry: RegistryClient, repository: str, algorithm: str) -> None:
        """Field-notes, section 2: 200, empty index, right Content-Type and body mediaType."""
        answer = registry.referrers(repository, digest_of(b"never pushed", algorithm))
        assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
        assert answer.json() == EMPTY_LIST

    def test_of_an_unknown_repository_it_is_empty(self, registry: RegistryClient, repository: str) -> None:
        """If the registry supports the referrers API, it MUST NOT return a 404 to a referrers API request."""
        answer = registry.referrers(repository, digest_of(b"never pushed"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, OCI_INDEX)
        assert answer.json() == EMPTY_LIST

    def test_of_a_manifest_without_referrers_it_is_empty(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """If a query results in no matching referrers, an empty manifest list MUST be returned."""
        assert registry.referrers(repository, image.digest).json() == EMPTY_LIST

    @pytest.mark.parametrize(
        "digest", ["sha256:baddigeststring", "latest", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"]
    )
    def test_of_an_invalid_digest_it_is_400(self, registry: RegistryClient, repository: str, digest: str) -> None:
        """If the request is invalid, such as a digest with an invalid syntax, a 400 Bad Request MUST be returned."""
        assert is_refused(registry.referrers(repository, digest), 400, "DIGEST_INVALID")

    def test_each_referrer_is_described(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """Each descriptor is of an image manifest or index in the same `<name>` namespace with that `subject`."""
        made: list[Pushable] = [
            tiny_image("referrer", subject=image),
            artifact(SBOM, subject=image),
            index(tiny_image("in the referrer"), subject=image),
        ]
        for each in made:
            registry.push_image(repository, each)
        found = {entry["digest"]: entry for entry in listed(registry.referrers(repository, image.digest))}
        assert set(found) == {each.digest for each in made}
        for each in made:
            assert found[each.digest]["mediaType"] == each.media_type
            assert found[each.digest]["size"] == len(each.manifest)

    def test_referrers_of_referrers_are_listed_of_theirs(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A list of manifests with a subject relationship to a specified digest (Definitions)."""
        sbom = artifact(SBOM, subject=image)
        signature = artifact(SIGNATURE, subject=sbom)
        registry.push_image(repository, sbom)
        registry.push_image(repository, signature)
        assert digests(registry.referrers(repository, image.digest)) == {sbom.digest}
        assert digests(registry.referrers(repository, sbom.digest)) == {signature.digest}

    def test_referrers_of_an_index_are_listed(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: subjects may be an index."""
        subject = index(tiny_image("child"))
        registry.push_image(repository, subject)
        sbom = artifact(SBOM, subject=subject)
        registry.push_image(repository, sbom)
        assert digests(registry.referrers(repository, subject.digest)) == {sbom.digest}

    def test_referrers_of_a_missing_subject_are_listed_before_and_after_it_comes(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """Field-notes, section 2: subjects may be missing."""
        subject = tiny_image("late")
        sbom = artifact(SBOM, subject=subject)
        registry.push_image(repository, sbom)
        assert digests(registry.referrers(repository, subject.digest)) == {sbom.digest}
        registry.push_image(repository, subject, "late")
        assert digests(registry.referrers(repository, subject.digest)) == {sbom.digest}

    def test_a_subject_is_known_by_the_digest_that_was_named(self, registry: RegistryClient, repository: str) -> None:
        """A `subject` field that specifies the value of `<digest>`: sha512 here."""
        subject = tiny_image("sha512", algorithm="sha512")
        sbom = artifact(SBOM, subject=subject)
        registry.push_image(repository, sbom)
        assert digests(registry.referrers(repository, subject.digest)) == {sbom.digest}
        assert listed(registry.referrers(repository, digest_of(subject.manifest))) == []

    def test_referrers_of_another_repository_are_not_listed(
        self, registry: RegistryClient, repository: str, other_repository: str, image: TinyImage
    ) -> None:
        """In the same `<name>` namespace."""
        registry.push_image(other_repository, artifact(SBOM, subject=image))
        assert listed(registry.referrers(repository, image.digest)) == []

    def test_a_referrer_pushed_twice_and_tagged_is_listed_once(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Each response is an image index with different descriptors."""
        sbom = artifact(SBOM, subject=image)
        registry.push_image(repository, sbom, "a", "b", sbom.digest)
        assert digests(registry.referrers(repository, image.digest)) == {sbom.digest}

    def test_a_deleted_referrer_is_not_listed_at_once(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Once deleted, a GET to the manifest will return a 404 (Deleting Manifests)."""
        sbom, signature = artifact(SBOM, subject=image), artifact(SIGNATURE, subject=image)
        registry.push_image(repository, sbom)
        registry.push_image(repository, signature)
        assert registry.delete_manifest(repository, sbom.digest).status_code == 202
        assert digests(registry.referrers(repository, image.digest)) == {signature.digest}

    def test_a_deleted_referrer_pushed_again_is_listed_again(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Registries MUST include all newly pushed image manifests with a valid `subject` field."""
        sbom = artifact(SBOM, subject=image)
        registry.push_image(repository, sbom)
        registry.delete_manifest(repository, sbom.digest)
        registry.push_image(repository, sbom)
        assert digests(registry.referrers(repository, image.digest)) == {sbom.digest}


class TestDescriptors:
    """What a descriptor of the list says of its manifest."""

    def described(self, registry: RegistryClient, repository: str, image: TinyImage, made: Pushable) -> dict[str, Any]:
        """The one descriptor there is once `made` is pushed."""
        registry.push_image(repository, made)
        (descriptor,) = listed(registry.referrers(repository, image.digest))
        return descriptor

    def test_the_artifact_type_is_the_manifests(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """The descriptors MUST include an `artifactType` set to that of the image manifest or index, if present."""
        made = artifact(SBOM, subject=image, config=Blob(b"{}", "application/vnd.example.config"))
        assert self.described(registry, repository, image, made)["artifactType"] == SBOM

    def test_the_artifact_type_is_the_indexs(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """The descriptors MUST include an `artifactType` set to that of the image manifest or index, if present."""
        made = index(subject=image, artifact_type=SBOM)
        assert self.described(registry, repository, image, made)["artifactType"] == SBOM

    @pytest.mark.parametrize("artifact_type", [None, ""])
    def test_the_artifact_type_is_else_the_configs_media_type(
        self, registry: RegistryClient, repository: str, image: TinyImage, artifact_type: str | None
    ) -> None:
        """If empty or missing in the image manifest, it MUST be set to the config descriptor `mediaType`."""
        made = artifact(artifact_type, subject=image, config=Blob(b"{}", "application/vnd.example.config"))
        found = self.described(registry, repository, image, made)
        assert found["artifactType"] == "application/vnd.example.config"

    @pytest.mark.parametrize("artifact_type", [None, ""])
    def test_an_index_without_an_artifact_type_has_none_here(
        self, registry: RegistryClient, repository: str, image: TinyImage, artifact_type: str | None
    ) -> None:
        """If the `artifactType` is empty or missing in an index, the `artifactType` MUST be omitted."""
        made = index(tiny_image("child"), subject=image, artifact_type=artifact_type)
        assert "artifactType" not in self.described(registry, repository, image, made)

    @pytest.mark.parametrize("kind", ["manifest", "index"])
    def test_annotations_are_included(
        self, registry: RegistryClient, repository: str, image: TinyImage, kind: str
    ) -> None:
        """The descriptors MUST include annotations from the image manifest or index."""
        notes = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "org.example/ключ": 'a "✓"\n'}
        made: Pushable = artifact(SBOM, subject=image, annotations=notes)
        if kind == "index":
            made = index(subject=image, annotations=notes)
        assert self.described(registry, repository, image, made)["annotations"] == notes

    def test_a_docker_manifest_with_a_subject_is_a_referrer(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """All newly pushed image manifests with a valid `subject` field (Enabling the Referrers API)."""
        made = tiny_image("docker", style=DOCKER, subject=image)
        found = self.described(registry, repository, image, made)
        assert (found["mediaType"], found["artifactType"]) == (DOCKER.manifest, DOCKER.config)


class TestFilter:
    """end-12b."""

    @pytest.fixture(autouse=True)
    def _referrers(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        for number in range(2):
            registry.push_image(repository, artifact(SBOM, subject=image, annotations={"n": str(number)}))
        registry.push_image(repository, artifact(SIGNATURE, subject=image))
        registry.push_image(repository, index(subject=image))

    def test_only_the_wanted_type_is_listed(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """The registry SHOULD support filtering on `artifactType`."""
        found = listed(registry.referrers(repository, image.digest, SBOM))
        assert [entry["artifactType"] for entry in found] == [SBOM, SBOM]

    def test_the_applied_filter_is_named(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """If filtering is requested and applied, the response MUST include `OCI-Filters-Applied: artifactType`."""
        answer = registry.referrers(repository, image.digest, SBOM)
        assert answer.headers["oci-filters-applied"] == "artifactType"

    def test_no_filter_is_named_when_none_was_requested(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: `OCI-Filters-Applied: artifactType` only when filtered."""
        answer = registry.referrers(repository, image.digest)
        assert "oci-filters-applied" not in answer.headers
        assert len(listed(answer)) == 4

    def test_a_type_without_referrers_is_an_empty_list(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """If a query results in no matching referrers, an empty manifest list MUST be returned."""
        answer = registry.referrers(repository, image.digest, "application/vnd.example.none")
        assert answer.json() == EMPTY_LIST
        assert answer.headers["content-type"] == OCI_INDEX
        assert answer.headers["oci-filters-applied"] == "artifactType"

    def test_a_config_type_can_be_wanted(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """The artifactType of a descriptor, which may be its config's media type."""
        made = artifact(None, subject=image, config=Blob(b"{}", "application/vnd.example.config"))
        registry.push_image(repository, made)
        assert digests(registry.referrers(repository, image.digest, "application/vnd.example.config")) == {made.digest}


class TestPages:
    """A Link header MUST be included when the descriptor list cannot be returned in a single manifest."""

    MANY, NOTE = 24, "x" * 200_000

    @pytest.fixture
    def made(self, registry: RegistryClient, repository: str, image: TinyImage) -> set[str]:
        """Referrers whose annotations together exceed the largest manifest that anybody must take."""
        both = [
            artifact(kind, subject=image, annotations={"note": self.NOTE, "number": str(number)})
            for number in range(self.MANY // 2)
            for kind in (SBOM, SIGNATURE)
        ]
        for each in both:
            registry.push_image(repository, each)
        return {each.digest for each in both}

    def test_following_the_links_lists_every_referrer_once(
        self, registry: RegistryClient, repository: str, image: TinyImage, made: set[str]
    ) -> None:
        """Each response is an image index with different descriptors in the `manifests` field."""
        pages = list(registry.pages(registry.referrers(repository, image.digest)))
        assert len(pages) > 1
        found = [entry["digest"] for page in pages for entry in listed(page)]
        assert sorted(found) == sorted(made)

    @pytest.mark.usefixtures("made")
    def test_each_page_is_a_manifest_that_a_client_takes(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """SHOULD expect to be able to support manifests of at least 4 megabytes, and not of more."""
        pages = list(registry.pages(registry.referrers(repository, image.digest)))
        assert {page.headers["content-type"] for page in pages} == {OCI_INDEX}
        assert {page.json()["mediaType"] for page in pages} == {OCI_INDEX}
        assert max(len(page.content) for page in pages) <= 4 * 2**20

    @pytest.mark.usefixtures("made")
    def test_the_filter_holds_on_every_page(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """If filtering is requested and applied, the response MUST include OCI-Filters-Applied."""
        pages = list(registry.pages(registry.referrers(repository, image.digest, SBOM)))
        found = [entry["artifactType"] for page in pages for entry in listed(page)]
        assert found == [SBOM] * (self.MANY // 2)
        assert {page.headers["oci-filters-applied"] for page in pages} == {"artifactType"}


class TestFallbackTag:
    """distribution-spec, Referrers Tag Schema and Enabling the Referrers API."""

    def test_what_older_clients_pushed_with_the_fallback_tag_is_listed_once(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: the API includes what was pushed with the fallback tag `sha256-<hex>`."""
        sbom = artifact(SBOM, subject=image)
        registry.push_image(repository, sbom)
        registry.push_image(repository, index(sbom), image.digest.replace(":", "-"))
        assert digests(registry.referrers(repository, image.digest)) == {sbom.digest}

    def test_a_manifest_without_subject_is_no_referrer_for_standing_under_the_fallback_tag(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Registries MUST include manifests listed there that have a valid `subject` field."""
        stranger, other = artifact(SIGNATURE), artifact(SBOM, subject=tiny_image("another subject"))
        registry.push_image(repository, stranger)
        registry.push_image(repository, other)
        registry.push_image(repository, index(stranger, other), image.digest.replace(":", "-"))
        assert listed(registry.referrers(repository, image.digest)) == []

    def test_the_fallback_tag_is_a_tag_like_any_other(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Maintaining the content of this tag is the responsibility of clients."""
        fallback = image.digest.replace(":", "-")
        listing = index(annotations={"kept": "by the client"})
        registry.push_image(repository, listing, fallback)
        assert registry.manifest(repository, fallback).content == listing.manifest
        assert fallback in registry.tags(repository).json()["tags"]
        assert registry.delete_manifest(repository, fallback).status_code == 202

    def test_an_index_of_strangers_under_the_tag_pushed_as_image_manifest_stays_what_it_is(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Nothing forces the tag to hold an index."""
        registry.tag(repository, image.digest.replace(":", "-"), image)
        assert registry.referrers(repository, image.digest).json() == EMPTY_LIST
        assert registry.manifest(repository, image.digest).headers["content-type"] == OCI_MANIFEST
