"""The catalog (`/v2/_catalog`): docker's list of repositories, paged as tags are."""

import os

import httpx
import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import index

ENDINGS = ["a", "a-b", "a/b", "a0", "b", "b/a", "c_d"]


@pytest.fixture(scope="module")
def repository() -> str:
    """A name under which no other test makes a repository."""
    return f"catalog-p{os.getpid()}"


@pytest.fixture(scope="module")
def names(registry: RegistryClient, repository: str) -> list[str]:
    """Repositories that stand next to each other in the catalog, in ASCII order."""
    names = sorted(f"{repository}/{ending}" for ending in ENDINGS)
    for name in reversed(names):
        registry.push_image(name, index(), "v1")
    return names


def listed(answer: httpx.Response) -> list[str]:
    """The names of a page."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    repositories: list[str] = answer.json()["repositories"]
    return repositories


class TestCatalog:
    """`GET /v2/_catalog?n=<integer>&last=<name>`."""

    def test_repositories_are_in_ascii_order(self, registry: RegistryClient, repository: str, names: list[str]) -> None:
        """Field-notes, section 2 of tags; the catalog is paged likewise."""
        assert listed(registry.catalog(n=len(names), last=f"{repository}/")) == names

    def test_every_repository_is_listed_by_following_the_links(
        self, registry: RegistryClient, names: list[str]
    ) -> None:
        """RFC 5988, `rel="next"`."""
        found = [name for page in registry.pages(registry.catalog(n=100)) for name in listed(page)]
        assert found == sorted(set(found))
        assert set(names) <= set(found)

    @pytest.mark.parametrize("n", [1, 3])
    def test_n_limits_a_page_and_its_link_leads_on(
        self, registry: RegistryClient, repository: str, names: list[str], n: int
    ) -> None:
        """The response includes `<int>` results, and a Link when there are more."""
        answer = registry.catalog(n=n, last=f"{repository}/")
        assert listed(answer) == names[:n]
        assert is_relative(answer.links["next"]["url"])
        following = registry.request("GET", answer.links["next"]["url"])
        assert listed(following) == names[n : 2 * n]

    def test_last_is_not_included(self, registry: RegistryClient, names: list[str]) -> None:
        """Beginning non-inclusively with it."""
        assert listed(registry.catalog(n=2, last=names[2])) == names[3:5]

    def test_n_of_zero_is_an_empty_list_without_link(self, registry: RegistryClient) -> None:
        """As for tags."""
        answer = registry.catalog(n=0)
        assert listed(answer) == []
        assert "link" not in answer.headers

    @pytest.mark.parametrize("n", ["1000000000", str(2**63), "9" * 100])
    def test_an_absurd_n_is_bounded_or_refused(self, registry: RegistryClient, n: str) -> None:
        """Field-notes, section 2: every `n` has an upper bound (CVE-2023-2253)."""
        answer = registry.catalog(n=n)
        assert answer.status_code == 400 or len(listed(answer)) <= 1000

    @pytest.mark.parametrize("n", ["-1", "x", "", "1.5"])
    def test_an_n_that_is_no_number_is_refused(self, registry: RegistryClient, n: str) -> None:
        """`<int>` is an integer."""
        assert is_refused(registry.catalog(n=n), 400, "UNSUPPORTED")
