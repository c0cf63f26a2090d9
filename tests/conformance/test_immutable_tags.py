"""Immutable tags, beyond the specification: as clients meet them, from the next request on, wherever that lands."""

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import Deployment
from tests.support.client import RegistryClient
from tests.support.images import digest_of, index, tiny_image


@pytest.fixture
def registry(guarded: Deployment) -> RegistryClient:
    """Its administrator."""
    return guarded.client()


@pytest.fixture
def rules(guarded: Deployment) -> httpx.Client:
    """The administration API of the same registry."""
    client = guarded.connect(httpx.BasicAuth(*guarded.login) if guarded.login else None)
    if client.get("/api/v1/immutable-rules").status_code != 200:
        pytest.skip("no rules can be made at this registry")
    return client


def protect(rules: httpx.Client, repository: str, tags: str = "v*", exceptions: str = "") -> str:
    """The rule's UUID."""
    answer = rules.put(
        "/api/v1/immutable-rules", params={"repositories": repository, "tags": tags}, json={"exceptions": exceptions}
    )
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["uuid"])


def put(registry: RegistryClient, repository: str, tag: str, words: str) -> httpx.Response:
    """The smallest manifest with these words in it, under the tag."""
    made = index(annotations={"words": words})
    return registry.push_manifest(repository, tag, made.manifest, made.media_type)


class TestImmutableTags:
    """A tag that a rule keeps where it is."""

    def test_it_is_set_once_and_the_same_manifest_comes_again(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        protect(rules, repository)
        for _ in range(2):
            assert put(registry, repository, "v1", "one").status_code == 201

    def test_another_manifest_is_refused_with_the_rules_name(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        """DENIED, which docker does not try again; in one line, with a detail."""
        put(registry, repository, "v1", "one")
        protect(rules, repository)
        refused = put(registry, repository, "v1", "two")
        assert is_refused(refused, 403, "DENIED")
        (error,) = refused.json()["errors"]
        assert error["message"] == "the tag is immutable, and can be neither moved nor deleted"
        assert error["detail"] == {"reference": "v1", "rule": f"v* of {repository} cannot change"}
        there = registry.manifest(repository, "v1")
        assert there.headers["docker-content-digest"] == index(annotations={"words": "one"}).digest

    def test_a_push_by_digest_moves_it_no_more_than_one_by_tag(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        """CVE-2026-41888: every way to write passes one point."""
        put(registry, repository, "v1", "one")
        protect(rules, repository)
        two = index(annotations={"words": "two"})
        refused = registry.push_manifest(repository, two.digest, two.manifest, two.media_type, tags=["new", "v1"])
        assert is_refused(refused, 403, "DENIED")
        assert registry.tags(repository).json()["tags"] == ["v1"]
        assert registry.manifest(repository, two.digest).status_code == 404

    def test_it_is_deleted_neither_by_its_name_nor_with_its_manifest(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        pushed = put(registry, repository, "v1", "one").headers["docker-content-digest"]
        protect(rules, repository)
        for reference in ("v1", pushed):
            assert is_refused(registry.delete_manifest(repository, reference), 403, "DENIED")
        assert registry.manifest(repository, "v1").status_code == 200

    def test_other_tags_and_exceptions_move_as_ever(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        protect(rules, repository, "v*", "v0*")
        for tag in ("latest", "v0.1"):
            for words in ("one", "two"):
                assert put(registry, repository, tag, words).status_code == 201
            assert registry.delete_manifest(repository, tag).status_code == 202

    def test_a_rule_that_is_taken_back_holds_no_more(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        put(registry, repository, "v1", "one")
        uuid = protect(rules, repository)
        for _ in range(4):
            # Whichever worker or replica is asked.
            assert put(registry, repository, "v1", "two").status_code == 403
        assert rules.delete(f"/api/v1/immutable-rules/{uuid}").status_code == 204
        assert put(registry, repository, "v1", "two").status_code == 201

    def test_signatures_and_lists_of_referrers_are_never_blocked(
        self, registry: RegistryClient, rules: httpx.Client, repository: str
    ) -> None:
        """As cosign pushes them, and as older clients keep referrers (Referrers Tag Schema)."""
        image = tiny_image(repository)
        registry.push_image(repository, image, "v1")
        protect(rules, repository, "*")
        named = digest_of(image.manifest).replace(":", "-")
        for suffix in (".sig", ".att", ".sbom", ""):
            for words in ("one signature", "two signatures"):
                assert put(registry, repository, named + suffix, words).status_code == 201
        assert put(registry, repository, "v1", "another").status_code == 403
