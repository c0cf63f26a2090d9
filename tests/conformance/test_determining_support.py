"""distribution-spec, Determining Support (end-1)."""

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient


class TestDeterminingSupport:
    """end-1."""

    def test_a_get_of_the_base_answers_200(self, registry: RegistryClient) -> None:
        """distribution-spec, Determining Support."""
        assert registry.base().status_code == 200

    def test_a_head_of_the_base_answers_as_the_get_does(self, registry: RegistryClient) -> None:
        """RFC 9110, section 9.3.2."""
        answer = registry.request("HEAD", "/v2/")
        assert answer.status_code == 200
        assert answer.content == b""

    def test_an_endpoint_that_is_not_in_the_table_is_404(self, registry: RegistryClient, repository: str) -> None:
        """distribution-spec, Endpoints."""
        assert is_refused(registry.request("GET", f"/v2/{repository}/nothing/here"), 404, "UNSUPPORTED", "NAME_UNKNOWN")

    def test_a_method_that_an_endpoint_lacks_is_405_and_the_others_are_told(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """RFC 9110, section 15.5.6: an origin server MUST generate an Allow header."""
        answer = registry.request("POST", f"/v2/{repository}/tags/list")
        assert is_refused(answer, 405, "UNSUPPORTED")
        assert "GET" in answer.headers["allow"]
