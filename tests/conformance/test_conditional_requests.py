"""Conditional requests (RFC 9110, section 13), by which clients avoid overwriting each other's tags."""

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import Standing
from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyIndex, index, random_bytes

NEWER = index(annotations={"pushed": "later"})


def etag_of(answer: httpx.Response) -> str:
    """A strong entity tag (RFC 9110, section 8.8.3)."""
    etag: str = answer.headers["etag"]
    assert etag.startswith('"')
    assert etag.endswith('"')
    return etag


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("what", ["manifests/v1", "manifests/{digest}", "blobs/{blob}"])
class TestIfNoneMatchOnReads:
    """RFC 9110, section 13.1.2."""

    @pytest.fixture
    def url(self, standing: Standing, what: str) -> str:
        """A manifest by tag, a manifest by digest, a blob."""
        image = standing.image
        return f"/v2/{standing.repository}/" + what.format(digest=image.digest, blob=image.config.digest)

    def test_what_the_client_has_is_304_without_a_body(self, registry: RegistryClient, url: str, method: str) -> None:
        """When it evaluates to false for GET and HEAD, the server MUST respond 304 Not Modified."""
        etag = etag_of(registry.request(method, url))
        answer = registry.request(method, url, headers={"If-None-Match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == etag

    @pytest.mark.parametrize("form", ["W/{etag}", '"other", {etag}', '{etag},"other"', "*"])
    def test_weakly_in_a_list_or_by_a_star(self, registry: RegistryClient, url: str, method: str, form: str) -> None:
        """A recipient MUST use the weak comparison function; the field is a list, or `*`."""
        etag = etag_of(registry.request(method, url))
        answer = registry.request(method, url, headers={"If-None-Match": form.format(etag=etag)})
        assert answer.status_code == 304

    @pytest.mark.parametrize("form", ['"other"', '"other", W/"another"', '""'])
    def test_something_else_is_200(self, registry: RegistryClient, url: str, method: str, form: str) -> None:
        """When no listed tag matches, the method is performed."""
        answer = registry.request(method, url, headers={"If-None-Match": form})
        assert answer.status_code == 200


class TestETags:
    """What an entity tag tells apart."""

    def test_a_tag_that_moved_has_another(self, registry: RegistryClient, repository: str, pushed: TinyIndex) -> None:
        """RFC 9110, section 8.8.3: an opaque validator for differentiating between representations."""
        before = etag_of(registry.manifest(repository, "v1"))
        registry.push_image(repository, NEWER, "v1")
        answer = registry.manifest(repository, "v1", headers={"If-None-Match": before})
        assert (answer.status_code, answer.content) == (200, NEWER.manifest)
        assert etag_of(answer) != before
        assert etag_of(registry.manifest(repository, pushed.digest)) == before

    def test_a_deleted_tag_is_404_whatever_the_client_has(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Section 13.2.1: the preconditions count only when the answer would be a 2xx without them."""
        etag = etag_of(registry.manifest(repository, "v1"))
        registry.delete_manifest(repository, pushed.digest)
        assert registry.manifest(repository, "v1", headers={"If-None-Match": etag}).status_code == 404
        assert registry.manifest(repository, "v1", headers={"If-None-Match": "*"}).status_code == 404

    @pytest.mark.parametrize("size", [0, 3000, 300_000])
    def test_a_304_of_a_blob_of_any_size(self, registry: RegistryClient, repository: str, size: int) -> None:
        """However it is kept and sent."""
        blob = Blob(random_bytes(repository, size))
        registry.push_blob(repository, blob)
        etag = etag_of(registry.blob(repository, blob.digest))
        answer = registry.blob(repository, blob.digest, headers={"If-None-Match": etag, "Range": "bytes=0-0"})
        assert (answer.status_code, answer.content) == (304, b"")


class TestConditionsOnPut:
    """Referrers Tag Schema: clients MAY use a conditional HTTP push for registries that support ETag conditions."""

    def put(self, registry: RegistryClient, repository: str, tag: str, **condition: str) -> httpx.Response:
        """Another image as `tag`, under one condition."""
        headers = {name.replace("_", "-"): value for name, value in condition.items()}
        return registry.push_manifest(repository, tag, NEWER.manifest, NEWER.media_type, headers=headers)

    def test_if_match_of_what_the_tag_is_moves_it(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """RFC 9110, section 13.1.1."""
        etag = etag_of(registry.manifest(repository, "v1"))
        assert self.put(registry, repository, "v1", if_match=etag).status_code == 201
        assert registry.manifest(repository, "v1").content == NEWER.manifest
        assert registry.manifest(repository, pushed.digest).status_code == 200

    def test_if_match_of_what_the_tag_was_is_412_and_it_stays(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """An origin server MUST NOT perform the requested method when If-Match evaluates to false."""
        before = etag_of(registry.manifest(repository, "v1"))
        between = index(annotations={"pushed": "between"})
        registry.push_image(repository, between, "v1")
        assert is_refused(self.put(registry, repository, "v1", if_match=before), 412, "DENIED", "UNSUPPORTED")
        assert registry.manifest(repository, "v1").content == between.manifest
        assert pushed.manifest != between.manifest

    @pytest.mark.usefixtures("pushed")
    def test_if_match_accepts_a_list(self, registry: RegistryClient, repository: str) -> None:
        """Section 13.1.1: the condition is true if any of the listed tags matches."""
        etag = etag_of(registry.manifest(repository, "v1"))
        assert self.put(registry, repository, "v1", if_match=f'"other", {etag}').status_code == 201

    @pytest.mark.usefixtures("pushed")
    def test_if_match_compares_strongly(self, registry: RegistryClient, repository: str) -> None:
        """Section 13.1.1: an origin server MUST use the strong comparison function."""
        etag = etag_of(registry.manifest(repository, "v1"))
        answer = self.put(registry, repository, "v1", if_match=f"W/{etag}")
        assert is_refused(answer, 412, "DENIED", "UNSUPPORTED")

    @pytest.mark.parametrize("condition", ['"other"', "*"])
    @pytest.mark.usefixtures("pushed")
    def test_if_match_of_a_tag_that_is_not_there_is_412(
        self, registry: RegistryClient, repository: str, condition: str
    ) -> None:
        """Section 13.1.1: if the field value is `*`, the condition is false if there is no current representation."""
        answer = self.put(registry, repository, "v2", if_match=condition)
        assert is_refused(answer, 412, "DENIED", "UNSUPPORTED")
        assert registry.manifest(repository, "v2").status_code == 404

    @pytest.mark.usefixtures("pushed")
    def test_if_match_star_moves_a_tag_that_is_there(self, registry: RegistryClient, repository: str) -> None:
        """Section 13.1.1: true if the server has a current representation."""
        assert self.put(registry, repository, "v1", if_match="*").status_code == 201

    @pytest.mark.usefixtures("pushed")
    def test_if_none_match_star_creates_a_tag(self, registry: RegistryClient, repository: str) -> None:
        """Section 13.1.2: `*` is true when there is no current representation."""
        assert self.put(registry, repository, "v2", if_none_match="*").status_code == 201
        assert registry.manifest(repository, "v2").content == NEWER.manifest

    def test_if_none_match_star_on_a_tag_that_is_there_is_412_and_it_stays(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Section 13.1.2: the server MUST NOT perform the method, and responds 412 Precondition Failed."""
        answer = self.put(registry, repository, "v1", if_none_match="*")
        assert is_refused(answer, 412, "DENIED", "UNSUPPORTED")
        assert registry.manifest(repository, "v1").content == pushed.manifest

    def test_if_none_match_star_creates_a_tag_again_that_was_deleted(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """A deleted tag is not there, even while it can be restored."""
        registry.delete_manifest(repository, "v1")
        assert self.put(registry, repository, "v1", if_none_match="*").status_code == 201
        assert registry.manifest(repository, pushed.digest).status_code == 200

    def test_if_none_match_of_what_the_tag_is_is_412(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Section 13.1.2: false if one of the listed tags matches the entity tag of the current representation."""
        etag = etag_of(registry.manifest(repository, "v1"))
        assert is_refused(self.put(registry, repository, "v1", if_none_match=etag), 412, "DENIED", "UNSUPPORTED")
        assert registry.manifest(repository, "v1").content == pushed.manifest

    def test_the_answer_to_a_put_has_the_etag_for_the_next(
        self, registry: RegistryClient, repository: str, pushed: TinyIndex
    ) -> None:
        """Section 9.3.4: an ETag in the answer to a PUT, when the representation was stored as it came."""
        answer = registry.tag(repository, "v1", pushed)
        assert etag_of(answer) == etag_of(registry.manifest(repository, "v1"))
