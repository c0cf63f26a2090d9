"""distribution-spec, Pushing Manifests: several tags in one request (end-7b)."""

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import TinyImage, digest_of, index, tiny_image

TEN = [f"tag-{number}" for number in range(10)]


def accepted_tags(answer: httpx.Response) -> list[str]:
    """Every tag of every `OCI-Tag` header, which may hold a list each (RFC 9110, section 5)."""
    return [tag.strip() for header in answer.headers.get_list("oci-tag") for tag in header.split(",")]


class TestTagParameters:
    """end-7b: `PUT /v2/<name>/manifests/<digest>?tag=1&tag=2&tag=3`."""

    def test_ten_tags_are_created_at_once(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """It SHOULD support pushing at least 10 tags per request."""
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type, tags=TEN)
        assert answer.status_code == 201
        assert registry.tags(repository).json()["tags"] == sorted([*TEN, "v1"])
        assert {registry.manifest(repository, tag).content for tag in TEN} == {image.manifest}

    def test_each_accepted_tag_is_named(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """It MUST include an OCI-Tag response header for each accepted tag."""
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type, tags=TEN)
        assert sorted(accepted_tags(answer)) == TEN

    def test_each_tag_has_a_header_of_its_own(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: one `OCI-Tag` header per tag."""
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type, tags=TEN)
        assert sorted(answer.headers.get_list("oci-tag")) == TEN

    def test_a_new_manifest_is_pushed_with_its_tags(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """When pushing a manifest by digest, the registry MAY support tags in addition."""
        made = index(image)
        answer = registry.push_manifest(repository, made.digest, made.manifest, made.media_type, tags=["all", "v1"])
        assert answer.status_code == 201
        assert answer.headers["docker-content-digest"] == made.digest
        assert registry.manifest(repository, "v1").content == made.manifest
        assert registry.manifest(repository, made.digest).content == made.manifest

    def test_a_push_without_the_parameter_names_no_tag(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """OCI-Tag is for each accepted tag."""
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type)
        assert "oci-tag" not in answer.headers

    def test_the_same_tag_twice_is_one_tag(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """Which would indicate tags were created: it is created once."""
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type, tags=["a", "a"])
        assert answer.status_code == 201
        assert set(accepted_tags(answer)) == {"a"}
        assert registry.tags(repository).json()["tags"] == ["a", "v1"]

    def test_too_many_tags_are_414(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """It MAY return a 414 Request-URI Too Long status if too many tags are included (field-notes: it does)."""
        many = [f"t{number}" for number in range(1000)]
        answer = registry.push_manifest(repository, image.digest, image.manifest, image.media_type, tags=many)
        assert is_refused(answer, 414, "MANIFEST_INVALID", "UNSUPPORTED")
        assert registry.tags(repository).json()["tags"] == ["v1"]

    @pytest.mark.parametrize("bad", ["", "a b", "-a", "a/b", "a" * 129, "ä", "a\0"])
    def test_one_tag_outside_the_grammar_refuses_all(self, registry: RegistryClient, repository: str, bad: str) -> None:
        """Field-notes, section 2: all tags in one transaction."""
        made = tiny_image(repository)
        for blob in made.blobs:
            registry.push_blob(repository, blob)
        answer = registry.push_manifest(repository, made.digest, made.manifest, made.media_type, tags=["good", bad])
        assert is_refused(answer, 400, "MANIFEST_INVALID")
        assert registry.manifest(repository, "good").status_code == 404
        assert registry.manifest(repository, made.digest).status_code == 404

    def test_a_wrong_digest_creates_no_tag(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """Field-notes, section 2: all tags in one transaction, with the manifest."""
        answer = registry.push_manifest(
            repository, digest_of(b"other"), image.manifest, image.media_type, tags=["a", "b"]
        )
        assert is_refused(answer, 400, "DIGEST_INVALID")
        assert registry.tags(repository).json()["tags"] == ["v1"]
