"""distribution-spec, Listing Referrers (end-12a, end-12b): what the list says of each, its filter and its pages."""

import os
from typing import Any

import pytest

from tests.conformance.referrers import EMPTY_LIST, SBOM, SIGNATURE, digests, listed
from tests.support.client import RegistryClient
from tests.support.images import DOCKER, OCI_INDEX, Blob, Pushable, TinyIndex, artifact, index, tiny_image

MANY = 24
SUBJECT, MANY_REFERRERS = index(annotations={"many": "referrers"}), f"conformance/referrers-p{os.getpid()}"


@pytest.fixture(scope="module")
def many(registry: RegistryClient) -> set[str]:
    """Referrers whose annotations together exceed the largest manifest that anybody must take; tests only read them."""
    made = [
        index(subject=SUBJECT, artifact_type=kind, annotations={"note": "x" * 200_000, "number": str(number)})
        for number in range(MANY // 2)
        for kind in (SBOM, SIGNATURE)
    ]
    for each in made:
        registry.push_image(MANY_REFERRERS, each)
    return {each.digest for each in made}


class TestDescriptors:
    """What a descriptor of the list says of its manifest."""

    def described(self, registry: RegistryClient, repository: str, pushed: TinyIndex, made: Pushable) -> dict[str, Any]:
        """The one descriptor there is once `made` is pushed."""
        registry.push_image(repository, made)
        (descriptor,) = listed(registry.referrers(repository, pushed.digest))
        return descriptor

    def test_the_artifact_type_is_the_manifests(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """The descriptors MUST include an `artifactType` set to that of the image manifest or index, if present."""
        made = artifact(SBOM, subject=pushed, config=Blob(b"{}", "application/vnd.example.config"))
        assert self.described(registry, repository, pushed, made)["artifactType"] == SBOM

    def test_the_artifact_type_is_that_of_the_index(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """The descriptors MUST include an `artifactType` set to that of the image manifest or index, if present."""
        made = index(subject=pushed, artifact_type=SBOM)
        assert self.described(registry, repository, pushed, made)["artifactType"] == SBOM

    @pytest.mark.parametrize("artifact_type", [None, ""])
    def test_the_artifact_type_is_else_the_configs_media_type(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex, artifact_type: str | None
    ) -> None:
        """If empty or missing in the image manifest, it MUST be set to the config descriptor `mediaType`."""
        made = artifact(artifact_type, subject=pushed, config=Blob(b"{}", "application/vnd.example.config"))
        found = self.described(registry, repository, pushed, made)
        assert found["artifactType"] == "application/vnd.example.config"

    @pytest.mark.parametrize("artifact_type", [None, ""])
    def test_an_index_without_an_artifact_type_has_none_here(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex, artifact_type: str | None
    ) -> None:
        """If the `artifactType` is empty or missing in an index, the `artifactType` MUST be omitted."""
        made = index(tiny_image("child"), subject=pushed, artifact_type=artifact_type)
        assert "artifactType" not in self.described(registry, repository, pushed, made)

    @pytest.mark.parametrize("kind", ["manifest", "index"])
    def test_annotations_are_included(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex, kind: str
    ) -> None:
        """The descriptors MUST include annotations from the image manifest or index."""
        notes = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z", "org.example/ключ": 'a "✓"\n'}
        made: Pushable = artifact(SBOM, subject=pushed, annotations=notes)
        if kind == "index":
            made = index(subject=pushed, annotations=notes)
        assert self.described(registry, repository, pushed, made)["annotations"] == notes

    def test_a_docker_manifest_with_a_subject_is_a_referrer(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """All newly pushed image manifests with a valid `subject` field (Enabling the Referrers API)."""
        made = tiny_image("docker", style=DOCKER, subject=pushed)
        found = self.described(registry, repository, pushed, made)
        assert (found["mediaType"], found["artifactType"]) == (DOCKER.manifest, DOCKER.config)


class TestFilter:
    """end-12b."""

    @pytest.fixture(autouse=True)
    def _referrers(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        for number in range(2):
            registry.push_image(repository, artifact(SBOM, subject=pushed, annotations={"n": str(number)}))
        registry.push_image(repository, artifact(SIGNATURE, subject=pushed))
        registry.push_image(repository, index(subject=pushed))

    def test_only_the_wanted_type_is_listed(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """The registry SHOULD support filtering on `artifactType`."""
        found = listed(registry.referrers(repository, pushed.digest, SBOM))
        assert [entry["artifactType"] for entry in found] == [SBOM, SBOM]

    def test_the_applied_filter_is_named(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """If filtering is requested and applied, the response MUST include `OCI-Filters-Applied: artifactType`."""
        answer = registry.referrers(repository, pushed.digest, SBOM)
        assert answer.headers["oci-filters-applied"] == "artifactType"

    def test_no_filter_is_named_when_none_was_requested(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Field-notes, section 2: `OCI-Filters-Applied: artifactType` only when filtered."""
        answer = registry.referrers(repository, pushed.digest)
        assert "oci-filters-applied" not in answer.headers
        assert len(listed(answer)) == 4

    def test_a_type_without_referrers_is_an_empty_list(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """If a query results in no matching referrers, an empty manifest list MUST be returned."""
        answer = registry.referrers(repository, pushed.digest, "application/vnd.example.none")
        assert answer.json() == EMPTY_LIST
        assert answer.headers["content-type"] == OCI_INDEX
        assert answer.headers["oci-filters-applied"] == "artifactType"

    def test_a_config_type_can_be_wanted(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """The artifactType of a descriptor, which may be its config's media type."""
        made = artifact(None, subject=pushed, config=Blob(b"{}", "application/vnd.example.config"))
        registry.push_image(repository, made)
        assert digests(registry.referrers(repository, pushed.digest, "application/vnd.example.config")) == {made.digest}


class TestPages:
    """A Link header MUST be included when the descriptor list cannot be returned in a single manifest."""

    def test_following_the_links_lists_every_referrer_once(self, registry: RegistryClient, many: set[str]) -> None:
        """Each response is an image index with different descriptors in the `manifests` field."""
        pages = list(registry.pages(registry.referrers(MANY_REFERRERS, SUBJECT.digest)))
        assert len(pages) > 1
        found = [entry["digest"] for page in pages for entry in listed(page)]
        assert sorted(found) == sorted(many)

    @pytest.mark.usefixtures("many")
    def test_each_page_is_a_manifest_that_a_client_takes(self, registry: RegistryClient) -> None:
        """SHOULD expect to be able to support manifests of at least 4 megabytes, and not of more."""
        pages = list(registry.pages(registry.referrers(MANY_REFERRERS, SUBJECT.digest)))
        assert {page.headers["content-type"] for page in pages} == {OCI_INDEX}
        assert {page.json()["mediaType"] for page in pages} == {OCI_INDEX}
        assert max(len(page.content) for page in pages) <= 4 * 2**20

    @pytest.mark.usefixtures("many")
    def test_the_filter_holds_on_every_page(self, registry: RegistryClient) -> None:
        """If filtering is requested and applied, the response MUST include OCI-Filters-Applied."""
        pages = list(registry.pages(registry.referrers(MANY_REFERRERS, SUBJECT.digest, SBOM)))
        found = [entry["artifactType"] for page in pages for entry in listed(page)]
        assert found == [SBOM] * (MANY // 2)
        assert {page.headers["oci-filters-applied"] for page in pages} == {"artifactType"}
