"""distribution-spec, Listing Referrers (end-12a, end-12b)."""

import pytest

from tests.conformance.claims import is_refused
from tests.conformance.referrers import EMPTY_LIST, SBOM, SIGNATURE, digests, listed
from tests.support.client import RegistryClient
from tests.support.images import (
    OCI_INDEX,
    Pushable,
    TinyIndex,
    artifact,
    digest_of,
    index,
    tiny_image,
)


class TestTheList:
    """end-12a."""

    def test_it_is_an_image_index(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """The response MUST be an image index, its Content-Type `application/vnd.oci.image.index.v1+json`."""
        registry.push_image(repository, artifact(SBOM, subject=pushed))
        answer = registry.referrers(repository, pushed.digest)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == OCI_INDEX
        assert answer.json()["schemaVersion"] == 2
        assert answer.json()["mediaType"] == OCI_INDEX

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    @pytest.mark.usefixtures("pushed")
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
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """If a query results in no matching referrers, an empty manifest list MUST be returned."""
        assert registry.referrers(repository, pushed.digest).json() == EMPTY_LIST

    @pytest.mark.parametrize(
        "digest", ["sha256:baddigeststring", "latest", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"]
    )
    def test_of_an_invalid_digest_it_is_400(self, registry: RegistryClient, repository: str, digest: str) -> None:
        """If the request is invalid, such as a digest with an invalid syntax, a 400 Bad Request MUST be returned."""
        assert is_refused(registry.referrers(repository, digest), 400, "DIGEST_INVALID")

    def test_each_referrer_is_described(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """Each descriptor is of an image manifest or index in the same `<name>` namespace with that `subject`."""
        made: list[Pushable] = [
            tiny_image("referrer", subject=pushed),
            artifact(SBOM, subject=pushed),
            index(tiny_image("in the referrer"), subject=pushed),
        ]
        for each in made:
            registry.push_image(repository, each)
        found = {entry["digest"]: entry for entry in listed(registry.referrers(repository, pushed.digest))}
        assert set(found) == {each.digest for each in made}
        for each in made:
            assert found[each.digest]["mediaType"] == each.media_type
            assert found[each.digest]["size"] == len(each.manifest)

    def test_referrers_of_referrers_are_listed_of_theirs(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """A list of manifests with a subject relationship to a specified digest (Definitions)."""
        sbom = artifact(SBOM, subject=pushed)
        signature = artifact(SIGNATURE, subject=sbom)
        registry.push_image(repository, sbom)
        registry.push_image(repository, signature)
        assert digests(registry.referrers(repository, pushed.digest)) == {sbom.digest}
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
        self, registry: RegistryClient, repository: str, other_repository: str, pushed: TinyIndex
    ) -> None:
        """In the same `<name>` namespace."""
        registry.push_image(other_repository, artifact(SBOM, subject=pushed))
        assert listed(registry.referrers(repository, pushed.digest)) == []

    def test_a_referrer_pushed_twice_and_tagged_is_listed_once(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Each response is an image index with different descriptors."""
        sbom = artifact(SBOM, subject=pushed)
        registry.push_image(repository, sbom, "a", "b", sbom.digest)
        assert digests(registry.referrers(repository, pushed.digest)) == {sbom.digest}

    def test_a_deleted_referrer_is_not_listed_at_once(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Once deleted, a GET to the manifest will return a 404 (Deleting Manifests)."""
        sbom, signature = artifact(SBOM, subject=pushed), artifact(SIGNATURE, subject=pushed)
        registry.push_image(repository, sbom)
        registry.push_image(repository, signature)
        assert registry.delete_manifest(repository, sbom.digest).status_code == 202
        assert digests(registry.referrers(repository, pushed.digest)) == {signature.digest}

    def test_a_deleted_referrer_pushed_again_is_listed_again(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Registries MUST include all newly pushed image manifests with a valid `subject` field."""
        sbom = artifact(SBOM, subject=pushed)
        registry.push_image(repository, sbom)
        registry.delete_manifest(repository, sbom.digest)
        registry.push_image(repository, sbom)
        assert digests(registry.referrers(repository, pushed.digest)) == {sbom.digest}


class TestFallbackTag:
    """distribution-spec, Referrers Tag Schema and Enabling the Referrers API."""

    def test_what_older_clients_pushed_with_the_fallback_tag_is_listed_once(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Field-notes, section 2: the API includes what was pushed with the fallback tag `sha256-<hex>`."""
        sbom = artifact(SBOM, subject=pushed)
        registry.push_image(repository, sbom)
        registry.push_image(repository, index(sbom), pushed.digest.replace(":", "-"))
        assert digests(registry.referrers(repository, pushed.digest)) == {sbom.digest}

    def test_a_manifest_without_subject_is_no_referrer_for_standing_under_the_fallback_tag(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Registries MUST include manifests listed there that have a valid `subject` field."""
        stranger, other = artifact(SIGNATURE), artifact(SBOM, subject=tiny_image("another subject"))
        registry.push_image(repository, stranger)
        registry.push_image(repository, other)
        registry.push_image(repository, index(stranger, other), pushed.digest.replace(":", "-"))
        assert listed(registry.referrers(repository, pushed.digest)) == []

    def test_the_fallback_tag_is_a_tag_like_any_other(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Maintaining the content of this tag is the responsibility of clients."""
        fallback = pushed.digest.replace(":", "-")
        listing = index(annotations={"kept": "by the client"})
        registry.push_image(repository, listing, fallback)
        assert registry.manifest(repository, fallback).content == listing.manifest
        assert fallback in registry.tags(repository).json()["tags"]
        assert registry.delete_manifest(repository, fallback).status_code == 202

    def test_the_fallback_tag_may_stand_on_what_is_no_index(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """If that pull returns a manifest other than the expected image index, the client reports a failure."""
        registry.push_image(repository, artifact(SBOM), pushed.digest.replace(":", "-"))
        assert registry.referrers(repository, pushed.digest).json() == EMPTY_LIST
