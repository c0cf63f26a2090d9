"""distribution-spec, Pushing Manifests with Subject."""

import pytest

from tests.support.client import RegistryClient
from tests.support.images import Pushable, TinyImage, artifact, index, tiny_image


def referrer(kind: str, subject: Pushable) -> Pushable:
    """Something of each kind that can have a subject."""
    kinds: dict[str, Pushable] = {
        "image": tiny_image("referrer", subject=subject),
        "artifact": artifact("application/vnd.example.sbom.v1", subject=subject),
        "index": index(tiny_image("in the referrer"), subject=subject),
    }
    return kinds[kind]


@pytest.mark.parametrize("kind", ["image", "artifact", "index"])
class TestSubject:
    """Manifests with a `subject`; field-notes, section 2: subjects may be missing, and may be on an index."""

    def test_the_answer_names_the_subject(
        self, registry: RegistryClient, repository: str, image: TinyImage, kind: str
    ) -> None:
        """A registry that supports the referrers API MUST respond with `OCI-Subject: <subject digest>`."""
        answer = registry.push_image(repository, referrer(kind, image))
        assert answer.headers["oci-subject"] == image.digest

    def test_the_answer_names_the_subject_each_time(
        self, registry: RegistryClient, repository: str, image: TinyImage, kind: str
    ) -> None:
        """Without the header a client falls back to the referrers tag schema, also at its second push."""
        made = referrer(kind, image)
        registry.push_image(repository, made)
        assert registry.push_image(repository, made, "again").headers["oci-subject"] == image.digest

    def test_a_missing_subject_is_accepted(self, registry: RegistryClient, repository: str, kind: str) -> None:
        """A registry MUST initially accept a manifest with a `subject` that does not exist in the repository."""
        missing = tiny_image("pushed later, or never")
        answer = registry.push_image(repository, referrer(kind, missing))
        assert answer.headers["oci-subject"] == missing.digest
        assert registry.manifest(repository, missing.digest).status_code == 404

    def test_a_missing_subject_may_be_named_by_sha512(
        self, registry: RegistryClient, repository: str, kind: str
    ) -> None:
        """Field-notes, section 2: sha512 works for blobs, manifests and tags."""
        missing = tiny_image("pushed later, or never", algorithm="sha512")
        answer = registry.push_image(repository, referrer(kind, missing))
        assert answer.headers["oci-subject"] == missing.digest

    def test_it_is_pulled_as_it_was_pushed(
        self, registry: RegistryClient, repository: str, image: TinyImage, kind: str
    ) -> None:
        """The registry MUST store the manifest in the exact byte representation provided by the client."""
        made = referrer(kind, image)
        registry.push_image(repository, made, "attached")
        assert registry.manifest(repository, "attached").content == made.manifest


class TestWithoutSubject:
    """The header belongs to requests that had a subject to process."""

    def test_the_answer_names_no_subject(self, registry: RegistryClient, repository: str) -> None:
        """OCI-Subject indicates that the registry processed the request's `subject`."""
        answer = registry.push_image(repository, tiny_image("alone"))
        assert "oci-subject" not in answer.headers
