"""distribution-spec, Pulling manifests (end-3)."""

import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import Standing
from tests.support.client import RegistryClient
from tests.support.images import (
    DOCKER,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Pushable,
    digest_of,
    index,
    tiny_image,
)

BOTH = ("v1", None)  # by tag, and by digest


class TestPullingManifests:
    """end-3: GET and HEAD by tag or digest."""

    def test_a_manifest_is_pulled_by_its_tag(self, registry: RegistryClient, standing: Standing) -> None:
        """A GET request to an existing manifest URL MUST provide the expected manifest, with 200 OK."""
        answer = registry.manifest(standing.repository, "v1")
        assert answer.status_code == 200
        assert answer.content == standing.image.manifest

    def test_a_manifest_is_pulled_by_its_digest(self, registry: RegistryClient, standing: Standing) -> None:
        """A GET request to an existing manifest URL MUST provide the expected manifest, with 200 OK."""
        answer = registry.manifest(standing.repository, standing.image.digest)
        assert answer.status_code == 200
        assert answer.content == standing.image.manifest

    @pytest.mark.parametrize("reference", BOTH)
    def test_the_answer_names_the_digest(
        self, registry: RegistryClient, standing: Standing, reference: str | None
    ) -> None:
        """A successful response MUST contain the digest in the header Docker-Content-Digest."""
        answer = registry.manifest(standing.repository, reference or standing.image.digest)
        assert answer.headers["docker-content-digest"] == standing.image.digest

    @pytest.mark.parametrize("style", ["oci", "docker", "index"])
    def test_the_content_type_is_the_pushed_one(self, registry: RegistryClient, repository: str, style: str) -> None:
        """The Content-Type header SHOULD match what the client pushed as the manifest's Content-Type."""
        styles: dict[str, Pushable] = {
            "oci": tiny_image(repository),
            "docker": tiny_image(repository, style=DOCKER),
            "index": index(tiny_image(repository)),
        }
        made = styles[style]
        registry.push_image(repository, made, "v1")
        assert registry.manifest(repository, "v1").headers["content-type"] == made.media_type

    def test_the_content_type_has_no_parameters(self, registry: RegistryClient, standing: Standing) -> None:
        """The registry SHOULD NOT include parameters on the Content-Type header."""
        assert registry.manifest(standing.repository, standing.image.digest).headers["content-type"] == OCI_MANIFEST

    @pytest.mark.parametrize("accept", [DOCKER_MANIFEST, OCI_INDEX, "text/html", "*/*", ""])
    def test_the_stored_type_is_returned_even_if_accept_lacks_it(
        self, registry: RegistryClient, standing: Standing, accept: str
    ) -> None:
        """Field-notes, section 2: return the stored type even if `Accept` lacks it."""
        answer = registry.manifest(standing.repository, "v1", headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == OCI_MANIFEST
        assert answer.content == standing.image.manifest

    @pytest.mark.parametrize("encodings", ["gzip", "zstd, gzip", "identity;q=0, *"])
    def test_a_manifest_is_never_encoded(self, registry: RegistryClient, standing: Standing, encodings: str) -> None:
        """Its digest is that of the bytes on the wire, for whoever does not decode them."""
        answer = registry.manifest(standing.repository, "v1", headers={"Accept-Encoding": encodings})
        assert "content-encoding" not in answer.headers
        assert answer.headers["content-length"] == str(len(standing.image.manifest))

    def test_a_query_that_a_proxy_would_use_changes_nothing(self, registry: RegistryClient, standing: Standing) -> None:
        """A registry MAY choose to ignore the `ns` query parameter (Registry Proxying)."""
        answer = registry.request("GET", f"/v2/{standing.repository}/manifests/v1", {"ns": "registry.example.org"})
        assert answer.content == standing.image.manifest

    def test_an_unknown_tag_is_404(self, registry: RegistryClient, standing: Standing) -> None:
        """If the manifest is not found in the repository, the response code MUST be 404 Not Found."""
        assert is_refused(registry.manifest(standing.repository, "v2"), 404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_an_unknown_digest_is_404(self, registry: RegistryClient, standing: Standing, algorithm: str) -> None:
        """If the manifest is not found in the repository, the response code MUST be 404 Not Found."""
        answer = registry.manifest(standing.repository, digest_of(b"never pushed", algorithm))
        assert is_refused(answer, 404, "MANIFEST_UNKNOWN")

    def test_an_unknown_repository_is_404(self, registry: RegistryClient, repository: str) -> None:
        """An attempt to pull a nonexistent repository MUST return response code 404 Not Found."""
        assert is_refused(registry.manifest(repository, "v1"), 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")

    def test_a_manifest_is_not_pulled_from_another_repository(
        self, registry: RegistryClient, repository: str, standing: Standing
    ) -> None:
        """Field-notes, section 4: no cross-repository read through dedupe."""
        registry.push_image(repository, index(), "v1")
        assert is_refused(registry.manifest(repository, standing.image.digest), 404, "MANIFEST_UNKNOWN")

    def test_a_blob_is_not_a_manifest(self, registry: RegistryClient, standing: Standing) -> None:
        """A manifest is a JSON document uploaded via the manifests endpoint (Definitions)."""
        answer = registry.manifest(standing.repository, standing.image.config.digest)
        assert is_refused(answer, 404, "MANIFEST_UNKNOWN")


class TestRepositoryNames:
    """`<name>` and `<tag-or-digest>` of Pulling manifests."""

    @pytest.mark.parametrize(
        "ending", ["a-b", "a--b", "a---b", "a_b", "a__b", "a.b", "a/b/c", "0", "a1/b2", "a-b__c.d/e", "x" * 200]
    )
    def test_a_name_of_the_grammar_is_a_repository(
        self, registry: RegistryClient, repository: str, ending: str
    ) -> None:
        """Field-notes, section 2: names match the regular expression; the `-+` is often missed."""
        name, made = f"{repository}/{ending}", index(annotations={"made for": ending})
        registry.push_image(name, made, "v1")
        assert registry.manifest(name, "v1").content == made.manifest

    @pytest.mark.parametrize("ending", ["tags/list", "manifests/v1", "blobs/uploads", "referrers/x", "token", "v2"])
    def test_a_name_may_hold_the_words_of_an_endpoint(
        self, registry: RegistryClient, repository: str, ending: str
    ) -> None:
        """Names match the regular expression, which knows no reserved word."""
        name, made = f"{repository}/{ending}", index(annotations={"made for": ending})
        registry.push_image(name, made, "v1")
        assert registry.manifest(name, "v1").content == made.manifest
        assert registry.tags(name).json()["tags"] == ["v1"]
        assert registry.referrers(name, made.digest).json()["manifests"] == []

    def test_a_name_of_one_component_and_its_library_namesake_are_two_repositories(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """Design, section 4: `alpine` and `library/alpine` are two repositories."""
        name = repository.replace("/", "-")
        registry.push_image(name, index(), "v1")
        assert registry.manifest(f"library/{name}", "v1").status_code == 404

    @pytest.mark.parametrize(
        "name",
        [
            "Upper",
            "a//b",
            "-a",
            "a-",
            "a_",
            "_a",
            ".a",
            "a.",
            "a..b",
            "a___b",
            "a._b",
            "a/-b",
            "a b",
            "a/B/c",
            "a:b",
            "é",
        ],
    )
    def test_a_name_outside_the_grammar_is_invalid(self, registry: RegistryClient, name: str) -> None:
        """Throughout this document, `<name>` MUST match the regular expression."""
        assert is_refused(registry.manifest(name, "v1"), 400, "NAME_INVALID")
        assert is_refused(registry.tags(name), 400, "NAME_INVALID")
        assert is_refused(registry.start_upload(name), 400, "NAME_INVALID")

    @pytest.mark.parametrize("tag", ["a", "A", "_", "0", "latest", "v1.2-rc_3", "_-.", "a" * 128, "Z" + "-" * 127])
    def test_a_tag_of_the_grammar_is_accepted(self, registry: RegistryClient, repository: str, tag: str) -> None:
        """A tag MUST be at most 128 characters in length and MUST match the regular expression."""
        made = index(annotations={"made for": tag})
        registry.push_image(repository, made, tag)
        assert registry.manifest(repository, tag).content == made.manifest
        assert registry.tags(repository).json()["tags"] == [tag]

    @pytest.mark.parametrize("tag", ["a" * 129, "-a", ".a", "a+b", "a b", "a@b", "ä", "a%00"])
    def test_a_tag_outside_the_grammar_is_refused(self, registry: RegistryClient, standing: Standing, tag: str) -> None:
        """The `<tag-or-digest>` MUST NOT be in any other format."""
        image = standing.image
        pushed = registry.push_manifest(standing.repository, tag, image.manifest, image.media_type)
        assert is_refused(pushed, 400, "MANIFEST_INVALID")
        pulled = registry.manifest(standing.repository, tag)
        assert is_refused(pulled, {400, 404}, "MANIFEST_INVALID", "MANIFEST_UNKNOWN")
