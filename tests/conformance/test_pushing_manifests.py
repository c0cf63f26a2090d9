"""distribution-spec, Pushing Manifests (end-7a): what is accepted, and that it comes back as it came."""

from dataclasses import replace

import pytest

from tests.conformance.claims import is_relative
from tests.support.client import RegistryClient
from tests.support.images import (
    DOCKER,
    OCI_MANIFEST,
    Blob,
    Pushable,
    TinyImage,
    artifact,
    digest_of,
    encode,
    index,
    padded,
    tiny_image,
)

LIMIT = 4 * 2**20
WELCOME: dict[str, Pushable] = {
    "an OCI image": tiny_image("oci"),
    "a Docker image": tiny_image("docker", style=DOCKER),
    "an OCI index": index(tiny_image("one"), tiny_image("two", architecture="arm64")),
    "a Docker manifest list": index(tiny_image("list", style=DOCKER), style=DOCKER),
    "an index of indexes": index(index(tiny_image("deep")), tiny_image("shallow")),
    "an empty index": index(),
    "an image without layers": tiny_image("bare", layers=0),
    "an artifact of one blob twice": artifact("application/vnd.example.pair", Blob(b"twin"), Blob(b"twin")),
    "an artifact": artifact("application/vnd.example.thing.v1", Blob(b"thing", "application/vnd.example.part")),
    "an artifact of an empty blob": artifact("application/vnd.example.nothing", Blob(b"", "text/plain")),
    "an artifact told by its config": artifact(None, config=Blob(b"{}", "application/vnd.example.config.v1+json")),
    "an index with an artifact type": index(tiny_image("typed"), artifact_type="application/vnd.example.set"),
    "annotations in any script": tiny_image("noted", annotations={"org.example/ключ": 'значение "✓" \n', "": ""}),
}


class TestPushingManifests:
    """end-7a."""

    @pytest.mark.parametrize("reference", ["v1", None])
    def test_an_upload_is_201_at_a_location_that_can_be_pulled(
        self, registry: RegistryClient, repository: str, reference: str | None
    ) -> None:
        """Upon a successful upload, the registry MUST return 201 Created, and MUST have a Location, pullable."""
        made = tiny_image(repository)
        answer = registry.push_image(repository, made, reference or made.digest)
        assert is_relative(answer.headers["location"])
        assert registry.request("GET", answer.headers["location"]).content == made.manifest

    @pytest.mark.parametrize("reference", ["v1", None])
    def test_the_answer_names_the_digest(
        self, registry: RegistryClient, repository: str, reference: str | None
    ) -> None:
        """The Docker-Content-Digest header MUST be equal to the client provided digest."""
        made = tiny_image(repository)
        answer = registry.push_image(repository, made, reference or made.digest)
        assert answer.headers["docker-content-digest"] == made.digest

    @pytest.mark.parametrize("kind", WELCOME)
    def test_every_kind_of_object_is_welcome(self, registry: RegistryClient, repository: str, kind: str) -> None:
        """Field-notes, section 2: `{}` blob, empty `manifests: []`, image without layers, unknown types are welcome."""
        made = WELCOME[kind]
        registry.push_image(repository, made, "v1")
        for reference in ("v1", made.digest):
            answer = registry.manifest(repository, reference)
            assert (answer.status_code, answer.content) == (200, made.manifest)
            assert answer.headers["content-type"] == made.media_type

    @pytest.mark.parametrize(
        "rewrite",
        [
            lambda text: text + b"\n",
            lambda text: b" \r\n\t" + text,
            lambda text: text.replace(b"\n", b"\r\n"),
            lambda text: text.replace(b'"schemaVersion"', b'"\\u0073chemaVersion"'),
            lambda text: text[:-2] + b',\n  "org.example.unknown": {"deep": [1, 2.50, null, true, "\\u00e9"]}\n}',
            lambda text: text.replace(b'"schemaVersion": 2', b'"zz": "first", "schemaVersion": 2'),
        ],
        ids=["newline", "leading space", "carriage returns", "escapes", "unknown members", "order"],
    )
    def test_the_bytes_are_kept_exactly(self, registry: RegistryClient, repository: str, rewrite: object) -> None:
        """The registry MUST store the manifest in the exact byte representation provided by the client."""
        made = tiny_image(repository)
        registry.push_image(repository, made)
        assert callable(rewrite)
        rewritten: bytes = rewrite(made.manifest)
        assert rewritten != made.manifest
        answer = registry.push_manifest(repository, "v1", rewritten, OCI_MANIFEST)
        assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, digest_of(rewritten))
        assert registry.manifest(repository, "v1").content == rewritten

    def test_descriptors_may_carry_their_data(self, registry: RegistryClient, repository: str) -> None:
        """image-spec, Descriptors: `data` is an embedded representation of the referenced content."""
        made = tiny_image(repository)
        document = made.document
        document["config"] |= {"data": "e30=", "urls": ["https://example.org/"], "org.example.unknown": 1}
        registry.push_image(repository, replace(made, manifest=encode(document)), "v1")
        assert registry.manifest(repository, "v1").content == encode(document)

    def test_parameters_on_the_content_type_are_ignored(self, registry: RegistryClient, repository: str) -> None:
        """The registry SHOULD ignore parameters on the Content-Type header."""
        made = tiny_image(repository)
        registry.push_image(repository, made)
        pushed = registry.push_manifest(repository, "v1", made.manifest, f"{OCI_MANIFEST}; charset=utf-8")
        assert pushed.status_code == 201
        assert registry.manifest(repository, "v1").headers["content-type"] == OCI_MANIFEST

    def test_a_manifest_without_a_media_type_takes_that_of_the_request(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """All manifests SHOULD include a mediaType field; those of image-spec 1.0 need not."""
        made = tiny_image(repository)
        bare = encode({name: value for name, value in made.document.items() if name != "mediaType"})
        registry.push_image(repository, made)
        assert registry.push_manifest(repository, "v1", bare, OCI_MANIFEST).status_code == 201
        assert registry.manifest(repository, "v1").headers["content-type"] == OCI_MANIFEST

    def test_a_request_without_a_content_type_takes_that_of_the_manifest(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """Clients SHOULD set the Content-Type header; when they do not, the manifest says what it is."""
        made = tiny_image(repository, style=DOCKER)
        registry.push_image(repository, made)
        assert registry.push_manifest(repository, "v1", made.manifest).status_code == 201
        assert registry.manifest(repository, "v1").headers["content-type"] == made.media_type

    def test_a_manifest_pushed_twice_is_201_twice(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A PUT is idempotent (RFC 9110, section 9.2.2)."""
        again = registry.push_manifest(repository, "v1", image.manifest, image.media_type)
        assert again.status_code == 201
        assert registry.tags(repository).json()["tags"] == ["v1"]

    def test_a_tag_moves_and_the_manifest_it_left_stays(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A tag is a pointer to a manifest; a manifest may have zero, one, or many tags (Definitions)."""
        newer = tiny_image("newer")
        registry.push_image(repository, newer, "v1")
        assert registry.manifest(repository, "v1").content == newer.manifest
        assert registry.manifest(repository, image.digest).content == image.manifest

    def test_a_manifest_of_4_mib_is_accepted(self, registry: RegistryClient, repository: str) -> None:
        """Implementations SHOULD expect to be able to support manifest pushes of at least 4 megabytes."""
        largest = padded(tiny_image(repository), LIMIT)
        registry.push_image(repository, largest, "v1")
        assert registry.manifest(repository, "v1").content == largest.manifest
