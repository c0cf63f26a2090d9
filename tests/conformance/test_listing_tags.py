"""distribution-spec, Listing Tags (end-8a, end-8b)."""

import os

import httpx
import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, index

# ASCII order: digits, capitals, underscore, small letters; the longer after its own beginning.
ORDERED = ["0", "1", "10", "2", "A", "B", "Z-1", "_", "a", "a-b", "a.b", "aa", "b", "latest", "v1", "v1.0"]


@pytest.fixture(scope="module")
def tagged(registry: RegistryClient) -> str:
    """A repository that has every tag of `ORDERED`, given in another order; tests only read it."""
    repository = f"conformance/tagged-p{os.getpid()}"
    given = sorted(ORDERED, key=lambda tag: tag[::-1])
    assert given != ORDERED
    registry.push_image(repository, index(), *given)
    return repository


def listed(answer: httpx.Response) -> list[str]:
    """The tags of a page."""
    assert answer.status_code == 200
    tags: list[str] = answer.json()["tags"]
    return tags


class TestTheWholeList:
    """end-8a."""

    def test_it_is_a_json_object_of_name_and_tags(self, registry: RegistryClient, tagged: str) -> None:
        """Upon success, the response MUST be a json body in the following format."""
        answer = registry.tags(tagged)
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == "application/json"
        assert answer.json() == {"name": tagged, "tags": ORDERED}

    def test_tags_are_in_ascii_order(self, registry: RegistryClient, tagged: str) -> None:
        """Field-notes, section 2: tags in ASCII order."""
        assert listed(registry.tags(tagged)) == sorted(ORDERED)

    def test_a_complete_list_has_no_link(self, registry: RegistryClient, tagged: str) -> None:
        """A Link header MAY be included in the response when additional tags are available."""
        assert "link" not in registry.tags(tagged).headers


class TestPages:
    """end-8b."""

    @pytest.mark.parametrize("n", [1, 2, 5, len(ORDERED) - 1])
    def test_n_limits_the_list(self, registry: RegistryClient, tagged: str, n: int) -> None:
        """The list will start at the beginning of the list and include `<int>` results."""
        answer = registry.tags(tagged, n=n)
        # Fewer than n only with a Link (field-notes, section 2).
        assert listed(answer) == ORDERED[:n] or (listed(answer) == ORDERED[: len(listed(answer))] and answer.links)

    @pytest.mark.parametrize("n", [len(ORDERED), len(ORDERED) + 1, 1000])
    def test_n_of_all_tags_or_more_is_the_whole_list(self, registry: RegistryClient, tagged: str, n: int) -> None:
        """Fewer than `<int>` results only when the total number of tags is less than `<int>`, or with a Link."""
        answer = registry.tags(tagged, n=n)
        assert listed(answer) == ORDERED
        assert "link" not in answer.headers

    def test_n_of_zero_is_an_empty_list_without_link(self, registry: RegistryClient, tagged: str) -> None:
        """When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header."""
        answer = registry.tags(tagged, n=0)
        assert answer.json() == {"name": tagged, "tags": []}
        assert "link" not in answer.headers

    def test_n_of_zero_after_a_tag_is_an_empty_list_without_link(self, registry: RegistryClient, tagged: str) -> None:
        """When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a Link header."""
        answer = registry.tags(tagged, n=0, last="a")
        assert listed(answer) == []
        assert "link" not in answer.headers

    @pytest.mark.parametrize("last", ["0", "A", "a", "latest", "v1.0"])
    def test_last_is_not_included(self, registry: RegistryClient, tagged: str, last: str) -> None:
        """`<tagname>` will not be included in the results, but up to `<int>` tags after `<tagname>` will."""
        after = ORDERED[ORDERED.index(last) + 1 :]
        assert listed(registry.tags(tagged, n=3, last=last)) == after[:3]

    def test_last_works_without_n(self, registry: RegistryClient, tagged: str) -> None:
        """When using the `last` query parameter, the `n` parameter is OPTIONAL."""
        assert listed(registry.tags(tagged, last="a")) == ORDERED[ORDERED.index("a") + 1 :]

    @pytest.mark.parametrize("last", ["a-a", "3", "ZZZ", "zzz"])
    def test_last_need_not_exist(self, registry: RegistryClient, tagged: str, last: str) -> None:
        """Tags after it in the order of the list; it may have been deleted since."""
        assert listed(registry.tags(tagged, last=last)) == [tag for tag in ORDERED if tag > last]

    @pytest.mark.parametrize("n", [1, 3, 5])
    def test_following_the_links_lists_every_tag_once(self, registry: RegistryClient, tagged: str, n: int) -> None:
        """If included, the Link header MUST be set according to RFC 5988 with the Relation Type `rel="next"`."""
        pages = [listed(page) for page in registry.pages(registry.tags(tagged, n=n))]
        assert [tag for page in pages for tag in page] == ORDERED
        assert {len(page) for page in pages[:-1]} == {n}

    def test_a_link_is_relative_and_keeps_n(self, registry: RegistryClient, tagged: str) -> None:
        """Field-notes, section 1: relative, so that no proxy can make it wrong."""
        link = registry.tags(tagged, n=4).links["next"]
        assert link["rel"] == "next"
        assert is_relative(link["url"])
        assert httpx.URL(link["url"]).params["n"] == "4"
        assert httpx.URL(link["url"]).params["last"] == ORDERED[3]

    def test_last_without_another_tag_after_it_is_an_empty_list(self, registry: RegistryClient, tagged: str) -> None:
        """Up to `<int>` tags after `<tagname>`."""
        assert registry.tags(tagged, n=5, last=ORDERED[-1]).json()["tags"] == []


class TestBounds:
    """Field-notes, section 2: every `n` has an upper bound (CVE-2023-2253)."""

    @pytest.mark.parametrize("n", ["1000000000", str(2**31), str(2**63 - 1), str(2**63), "9" * 100])
    def test_an_absurd_n_is_bounded_or_refused(self, registry: RegistryClient, tagged: str, n: str) -> None:
        """It costs what the tags cost, not what `n` says."""
        answer = registry.tags(tagged, n=n)
        assert answer.status_code == 400 or listed(answer) == ORDERED

    @pytest.mark.parametrize("n", ["-1", "x", "1.5", "", "0x10", "1e3", "٣"])
    def test_an_n_that_is_no_number_is_refused(self, registry: RegistryClient, tagged: str, n: str) -> None:
        """`<int>` is an integer specifying the number of tags requested."""
        assert is_refused(registry.tags(tagged, n=n), 400, "UNSUPPORTED")

    def test_a_page_is_bounded_whatever_n_says_and_its_link_leads_on(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """The response MAY return fewer than `<int>` results, but only when a Link header is provided."""
        made = index()
        tags = [f"t{number:04}" for number in range(1050)]
        for start in range(0, len(tags), 50):
            some = tags[start : start + 50]
            answer = registry.push_manifest(repository, made.digest, made.manifest, made.media_type, tags=some)
            assert answer.status_code == 201
        pages = [listed(page) for page in registry.pages(registry.tags(repository, n=10**6))]
        assert [tag for page in pages for tag in page] == tags
        assert max(map(len, pages)) <= 1000


class TestRepositories:
    """Which repositories have a list."""

    def test_an_unknown_repository_is_404(self, registry: RegistryClient, repository: str) -> None:
        """end-8: failure 404."""
        assert is_refused(registry.tags(repository), 404, "NAME_UNKNOWN")

    def test_a_repository_without_tags_has_an_empty_list(self, registry: RegistryClient, repository: str) -> None:
        """Assuming a repository is found, this request MUST return 200; the list of tags MAY be empty."""
        registry.push_image(repository, index())
        assert registry.tags(repository).json() == {"name": repository, "tags": []}

    def test_a_repository_of_a_blob_alone_is_found(self, registry: RegistryClient, repository: str) -> None:
        """A repository is a collection of content, including manifests, blobs, and tags (Definitions)."""
        registry.push_blob(repository, Blob(b"alone"))
        assert registry.tags(repository).json() == {"name": repository, "tags": []}

    def test_a_repository_whose_last_tag_went_has_an_empty_list(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """The list of tags MAY be empty if there are no tags on the repository."""
        registry.delete_manifest(repository, "v1")
        assert registry.tags(repository).json() == {"name": repository, "tags": []}
        assert registry.manifest(repository, image.digest).status_code == 200

    @pytest.mark.usefixtures("image")
    def test_tags_belong_to_one_repository(
        self, registry: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """`<tag1>`, `<tag2>`, and `<tag3>` are each tags on the repository."""
        registry.push_image(other_repository, index(), "elsewhere")
        assert listed(registry.tags(repository)) == ["v1"]
        assert listed(registry.tags(other_repository)) == ["elsewhere"]
