"""Bad input answers the specification's error JSON with a code of its closed list, and never a 5xx.

That no answer is a 5xx, and that every refusal is in the right form, is checked for every request of this folder
(claims.keeps_every_promise); here are the targets, digests and headers that only an attacker or a broken client sends.
"""

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import Standing
from tests.support.client import RegistryClient
from tests.support.images import encode, index

DIGESTS = [
    "sha256:baddigeststring",
    "sha256:",
    "sha256:" + "g" * 64,
    "sha256:" + "A" * 64,
    "sha256:" + "a" * 63,
    "sha256:" + "a" * 65,
    "sha256:" + "٣" * 64,
    "sha512:" + "a" * 64,
    "sha1:" + "a" * 40,
    "md5:" + "a" * 32,
    "sha256:" + "a" * 64 + ":b",
    "sha256:..%2f..%2fetc%2fpasswd",
    "sha256:%00" + "a" * 61,
    "sha256:" + "a" * 5000,
    "a+b.c_d-e:" + "a" * 64,
]
TARGETS = [
    "/v2/../v2/x/tags/list",
    "/v2/a/../b/manifests/v1",
    "/v2/%2e%2e/manifests/v1",
    "/v2/a/%2e%2e/b/tags/list",
    "/v2/a%2Fb%2F..%2Fc/manifests/v1",
    "/v2/a%252fb/manifests/v1",
    "/v2/a%00b/tags/list",
    "/v2/a%0d%0ab/tags/list",
    "/v2/%ff%fe/tags/list",
    "/v2/%c0%ae%c0%ae/tags/list",
    "/v2/%zz/tags/list",
    "/v2/%/tags/list",
    "/v2//tags/list",
    "/v2/a//manifests/v1",
    "/v2/a/manifests/",
    "/v2/a/manifests/..%2f..%2fsecret",
    "/v2/a/manifests/v1%0d%0aSet-Cookie:x=y",
    "/v2/a/manifests/v1/v2",
    "/v2/a/blobs/",
    "/v2/a/blobs/%2e%2e",
    "/v2/a/blobs/uploads/..%2f..%2fx",
    "/v2/a/tags/list/",
    "/v2/a/referrers/",
    "/v2/manifests/v1",
    "/v2/tags/list",
    "/v2/" + "a" * 5000 + "/manifests/v1",
    "/v2/" + "a/" * 2000 + "manifests/v1",
    "/v2/a\\b/tags/list",
    "/v2/a;b=c/tags/list",
    "/v2/<script>/tags/list",
    "/v2/_unknown",
    "/v2/%5fcatalog/x",
]
CODES = ("NAME_INVALID", "NAME_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "DIGEST_INVALID", "BLOB_UNKNOWN")


def at(registry: RegistryClient, method: str, target: str, content: bytes = b"") -> httpx.Response:
    """A request for a target that no URL library normalises."""
    return registry.request(method, "/", extensions={"target": target.encode()}, content=content)


class TestTargets:
    """Names and references as they stand in a request line."""

    @pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:40])
    def test_a_target_that_names_nothing_is_refused(self, registry: RegistryClient, target: str) -> None:
        """Field-notes, section 4: names never become paths without the layout's map."""
        more = ("UNSUPPORTED", "BLOB_UPLOAD_UNKNOWN", "UNAUTHORIZED")
        for method in ("GET", "PUT", "DELETE", "POST", "PATCH"):
            assert is_refused(at(registry, method, target), {400, 404, 405, 414}, *CODES, *more)

    def test_a_header_cannot_be_written_by_a_name(self, registry: RegistryClient, repository: str) -> None:
        """A line end in a decoded name must not end a header of the answer."""
        answer = at(registry, "PUT", f"/v2/{repository}/manifests/a%0d%0aSet-Cookie:x", content=b"{}")
        assert is_refused(answer, 400, "MANIFEST_INVALID", "DIGEST_INVALID")
        assert "set-cookie" not in answer.headers

    @pytest.mark.usefixtures("image")
    @pytest.mark.parametrize(
        "query", ["?n", "?n=", "?&&&==", "?%zz=%zz", "?n=1&n=2", "?last=%00", "?last=%ff", "?last=" + "a" * 5000]
    )
    def test_an_odd_query_of_a_list_is_answered_or_refused(
        self, registry: RegistryClient, standing: Standing, query: str
    ) -> None:
        """A query is optional, so that what cannot be read may be refused or passed over."""
        answer = at(registry, "GET", f"/v2/{standing.repository}/tags/list{query}")
        assert answer.status_code == 200 or is_refused(answer, 400, "UNSUPPORTED", "MANIFEST_INVALID")

    @pytest.mark.parametrize("kind", ["%00", "%ff", "a" * 5000, "%0d%0a", "text/plain;x=y", "' OR 1=1 --"])
    def test_an_odd_filter_finds_nothing_or_is_refused(
        self, registry: RegistryClient, standing: Standing, kind: str
    ) -> None:
        """`artifactType` is compared, not interpreted."""
        subject = index(annotations={"made for": kind})
        registry.push_image(standing.repository, index(artifact_type="application/vnd.example.x", subject=subject))
        target = f"/v2/{standing.repository}/referrers/{subject.digest}?artifactType={kind.replace(' ', '+')}"
        answer = at(registry, "GET", target)
        assert answer.status_code == 400 or answer.json()["manifests"] == []

    @pytest.mark.parametrize("method", ["FOO", "TRACE", "OPTIONS", "CONNECT", "get"])
    def test_an_odd_method_is_refused(self, registry: RegistryClient, repository: str, method: str) -> None:
        """RFC 9110, section 9.1: 501 for an unknown method, 405 for one that is not allowed; or 400."""
        answer = at(registry, method, f"/v2/{repository}/tags/list")
        assert answer.status_code in {204, 400, 404, 405}


class TestDigests:
    """Digests in every place that takes one."""

    @pytest.mark.parametrize("digest", DIGESTS, ids=lambda digest: ascii(digest[:30]))
    def test_a_malformed_digest_is_refused_everywhere(
        self, registry: RegistryClient, standing: Standing, digest: str
    ) -> None:
        """If the client provided digest is invalid, the registry SHOULD respond with 400 Bad Request."""
        location = registry.start_upload(standing.repository).headers["location"]
        base = f"/v2/{standing.repository}"
        asked = [
            at(registry, "GET", f"{base}/blobs/{quoted(digest)}"),
            at(registry, "DELETE", f"{base}/blobs/{quoted(digest)}"),
            at(registry, "GET", f"{base}/manifests/{quoted(digest)}"),
            at(registry, "PUT", f"{base}/manifests/{quoted(digest)}", content=standing.image.manifest),
            at(registry, "DELETE", f"{base}/manifests/{quoted(digest)}"),
            at(registry, "PUT", f"{location}?digest={quoted(digest)}", content=b"anything"),
            at(registry, "POST", f"{base}/blobs/uploads/?digest={quoted(digest)}", content=b"anything"),
        ]
        assert all(is_refused(answer, {400, 404}, *CODES, "UNSUPPORTED") for answer in asked)
        listed = at(registry, "GET", f"{base}/referrers/{quoted(digest)}")
        # An encoded slash makes it another path, which may be none at all.
        assert is_refused(listed, {400, 404} if "%2f" in digest else 400, "DIGEST_INVALID", "UNSUPPORTED")


class TestHeaders:
    """Ranges, lengths and media types that are none."""

    @pytest.mark.parametrize(
        "value",
        [
            "bytes=" + "9" * 5000 + "-",
            "bytes=0-" + "9" * 5000,
            "bytes=-" + "9" * 5000,
            "bytes=" + ",".join(["0-0"] * 2000),
            "bytes=1-0",
            "bytes=-",
            "bytes=0-0-0",
            "bytes=\xb2-\xb3",
            "bytes= 0 - 0",
        ],
        ids=lambda value: ascii(value[:20]),
    )
    def test_an_absurd_range_is_ignored_or_refused(
        self, registry: RegistryClient, standing: Standing, value: str
    ) -> None:
        """RFC 9110, section 14.2: or taken for what it says, when it says something."""
        config = standing.image.config
        headers = {"Range": value.encode("latin-1")}
        answer = registry.request("GET", f"/v2/{standing.repository}/blobs/{config.digest}", headers=headers)
        assert answer.status_code in {200, 206, 400, 416}
        assert answer.status_code >= 400 or answer.content in config.data

    @pytest.mark.parametrize(
        "value",
        [
            "0-" + "9" * 5000,
            "9" * 5000 + "-" + "9" * 5000,
            "-1-5",
            "0-9,10-19",
            "0x0-0x9",
            "\xb2-\xb3",
            "0 - 9",
            "0-9/x/y",
        ],
        ids=lambda value: ascii(value[:20]),
    )
    def test_an_absurd_content_range_is_refused(self, registry: RegistryClient, repository: str, value: str) -> None:
        """It MUST match the regular expression; the session survives."""
        location = registry.start_upload(repository).headers["location"]
        answer = registry.request(
            "PATCH", location, content=b"0123456789", headers={"Content-Range": value.encode("latin-1")}
        )
        assert is_refused(answer, {400, 416}, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")
        assert registry.upload_status(location).headers["range"] == "0-0"

    @pytest.mark.parametrize(
        "value",
        [
            "text",
            "text/",
            "/x",
            "a/b/c",
            "application/\xe9",
            "a/" + "b" * 5000,
            "a/b, c/d",
            ";charset=utf-8",
            "*/*",
            "a b/c",
        ],
        ids=lambda value: ascii(value[:20]),
    )
    def test_a_content_type_that_is_none_is_refused(
        self, registry: RegistryClient, standing: Standing, value: str
    ) -> None:
        """RFC 6838, section 4.2; it would come back in a header of every pull."""
        bare = encode({name: member for name, member in standing.image.document.items() if name != "mediaType"})
        headers = {"Content-Type": value.encode("latin-1")}
        answer = registry.request("PUT", f"/v2/{standing.repository}/manifests/odd", content=bare, headers=headers)
        assert is_refused(answer, {400, 415}, "MANIFEST_INVALID", "UNSUPPORTED")


def quoted(text: str) -> str:
    """Percent-encoded where it is not ASCII."""
    return "".join(letter if letter.isascii() else str(httpx.QueryParams({"": letter}))[1:] for letter in text)
