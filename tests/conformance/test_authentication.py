"""Who asks: the 401 and its challenge, Basic, and what an anonymous caller may see (field-notes, sections 2 and 4)."""

import re

import httpx
import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import ADMIN, Deployment
from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, digest_of, tiny_image
from tests.support.login import Challenge

DIGEST = digest_of(b"anything")
# Every endpoint with the scope that its challenge must name.
READS = {
    "GET manifests/v1": "pull",
    "HEAD manifests/v1": "pull",
    f"GET manifests/{DIGEST}": "pull",
    f"GET blobs/{DIGEST}": "pull",
    f"HEAD blobs/{DIGEST}": "pull",
    "GET tags/list": "pull",
    f"GET referrers/{DIGEST}": "pull",
}
WRITES = {
    "POST blobs/uploads/": "pull,push",
    f"POST blobs/uploads/?digest={DIGEST}": "pull,push",
    "PATCH blobs/uploads/{session}": "pull,push",
    f"PUT blobs/uploads/{{session}}?digest={DIGEST}": "pull,push",
    "GET blobs/uploads/{session}": "pull,push",
    "DELETE blobs/uploads/{session}": "pull,push",
    "PUT manifests/v1": "pull,push",
    f"PUT manifests/{DIGEST}": "pull,push",
    f"PUT manifests/{DIGEST}?tag=a&tag=b": "pull,push",
    "DELETE manifests/v1": "delete",
    f"DELETE manifests/{DIGEST}": "delete",
    f"DELETE blobs/{DIGEST}": "delete",
}


@pytest.fixture
def admin(guarded: Deployment) -> RegistryClient:
    """The administrator, by bearer tokens."""
    return guarded.client()


@pytest.fixture
def stranger(guarded: Deployment) -> RegistryClient:
    """Somebody without a name."""
    return guarded.anonymous()


def ask(client: RegistryClient, repository: str, endpoint: str, session: str = "none") -> httpx.Response:
    """A request without a body to one of the endpoints above."""
    method, _, target = endpoint.format(session=session).partition(" ")
    return client.request(method, f"/v2/{repository}/{target}")


class TestChallenge:
    """The 401 of a registry with authentication."""

    def test_the_base_challenges(self, guarded: Deployment, stranger: RegistryClient) -> None:
        """end-1: failure 401; where to get a token, and for which service."""
        answer = stranger.base()
        assert is_refused(answer, 401, "UNAUTHORIZED")
        challenge = Challenge.of(answer)
        assert challenge.scheme == "Bearer"
        assert challenge.parameters["realm"] == f"{guarded.url}/token"
        assert challenge.parameters["service"] == "entrepot"

    @pytest.mark.parametrize(("endpoint", "actions"), (READS | WRITES).items())
    def test_every_endpoint_challenges_with_the_scope_it_needs(
        self, stranger: RegistryClient, repository: str, endpoint: str, actions: str
    ) -> None:
        """Field-notes, section 4: every path passes one authorisation point, a column of the route table."""
        answer = ask(stranger, repository, endpoint)
        assert answer.status_code == 401
        (scope,) = Challenge.of(answer).scopes
        assert scope.startswith(f"repository:{repository}:")
        assert set(actions.split(",")) <= set(scope.rpartition(":")[2].split(","))

    def test_a_pull_asks_for_no_more_than_pull(self, stranger: RegistryClient, repository: str) -> None:
        """Who may only pull must be able to get what the challenge asks for."""
        assert Challenge.of(stranger.manifest(repository, "v1")).scopes == {f"repository:{repository}:pull"}

    def test_a_mount_asks_for_both_repositories(
        self, stranger: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """Field-notes, section 2: a 401 at a mount names pull,push on the target and pull on the source."""
        answer = stranger.mount(repository, DIGEST, other_repository)
        assert is_refused(answer, 401, "UNAUTHORIZED")
        assert Challenge.of(answer).scopes == {
            f"repository:{repository}:pull,push",
            f"repository:{other_repository}:pull",
        }

    def test_the_catalog_asks_for_the_catalog(self, stranger: RegistryClient) -> None:
        """The registry's own resource of the token specification."""
        answer = stranger.catalog()
        assert is_refused(answer, 401, "UNAUTHORIZED")
        assert Challenge.of(answer).scopes == {"registry:catalog:*"}

    @pytest.mark.parametrize("endpoint", WRITES)
    @pytest.mark.usefixtures("private")
    def test_an_anonymous_write_changes_nothing(
        self, admin: RegistryClient, stranger: RegistryClient, repository: str, endpoint: str
    ) -> None:
        """Field-notes, section 4: every write path passes one authorisation point (CVE-2026-41888, -31801)."""
        started = admin.start_upload(repository)
        location, session = started.headers["location"], started.headers["docker-upload-uuid"]
        assert admin.patch(location, b"begun").status_code == 202
        assert ask(stranger, repository, endpoint, session).status_code == 401
        assert admin.upload_status(location).headers["range"] == "0-4"
        assert admin.manifest(repository, "v1", "HEAD").status_code == 200
        assert admin.tags(repository).json()["tags"] == ["v1"]

    def test_the_challenge_comes_before_every_other_judgement(self, stranger: RegistryClient, repository: str) -> None:
        """A stranger learns nothing from the order in which mistakes are told."""
        answers = [
            stranger.manifest(repository, "-bad-"),
            stranger.blob(repository, "sha256:baddigeststring"),
            stranger.tags(repository, n="x"),
            stranger.push_manifest(repository, "v1", b"{", "text/plain"),
        ]
        assert [answer.status_code for answer in answers] == [401] * 4


class TestBasic:
    """Basic, accepted directly on /v2/."""

    def test_the_right_password_is_let_in(self, guarded: Deployment, repository: str) -> None:
        """RFC 7617."""
        caller = RegistryClient(guarded.connect(httpx.BasicAuth(*ADMIN)))
        assert caller.base().status_code == 200
        made = tiny_image(repository)
        caller.push_image(repository, made, "v1")
        assert caller.manifest(repository, "v1").content == made.manifest
        assert caller.delete_manifest(repository, "v1").status_code == 202

    @pytest.mark.parametrize(
        ("user", "password"),
        [
            ("admin", "wrong"),
            ("admin", ""),
            ("nobody", ADMIN[1]),
            ("", ADMIN[1]),
            ("", ""),
            ("ADMIN", ADMIN[1]),
            ("admin", "x" * 5000),
        ],
    )
    def test_a_wrong_one_is_not(self, guarded: Deployment, user: str, password: str) -> None:
        """An unknown name and a wrong password read alike."""
        caller = RegistryClient(guarded.connect(httpx.BasicAuth(user, password)))
        answer = caller.base()
        assert is_refused(answer, 401, "UNAUTHORIZED")
        assert Challenge.of(answer).scheme == "Bearer"

    @pytest.mark.parametrize(
        "header",
        [
            b"Basic",
            b"Basic !!!",
            b"Basic YWRtaW4=",
            b"Basic /w==",
            b"Basic AA==",
            b"Bearer",
            b"Bearer x",
            b"Bearer a.b.c",
            b"Negotiate YII=",
            b"\xff\xfe",
            b"Basic " + b"QUFB" * 5000,
            b"Bearer " + b"." * 20_000,
        ],
        ids=lambda header: repr(header[:20]),
    )
    def test_a_malformed_authorization_is_401(self, stranger: RegistryClient, header: bytes) -> None:
        """Bad input answers the spec's error JSON, never a 500."""
        answer = stranger.request("GET", "/v2/", headers={"Authorization": header})
        assert is_refused(answer, 401, "UNAUTHORIZED")


class TestPrivateAndMissing:
    """Field-notes, section 4 and design, section 7: they give the same answer, byte for byte."""

    @pytest.mark.parametrize(
        "endpoint", READS | WRITES | {"GET tags/list?n=0": "pull", "DELETE manifests/v2": "delete"}
    )
    @pytest.mark.usefixtures("private")
    def test_look_the_same_to_a_stranger(self, stranger: RegistryClient, repository: str, endpoint: str) -> None:
        """Status, headers and body, but for the name that was asked for."""
        missing = repository[:-1] + "xyz"
        seen = [told(ask(stranger, name, endpoint), name) for name in (repository, missing)]
        assert seen[0] == seen[1]

    def test_look_the_same_at_a_mount(self, stranger: RegistryClient, repository: str, private: TinyImage) -> None:
        """A mount must not tell whether the source has the blob."""
        names = (repository, repository[:-1] + "xyz")
        seen = [told(stranger.mount("conformance/target", private.config.digest, name), name) for name in names]
        assert seen[0] == seen[1]


def told(answer: httpx.Response, name: str) -> tuple[int, list[tuple[str, str]], str]:
    """Everything an answer tells, with the name it was asked about taken out."""
    headers = [(key, value) for key, value in answer.headers.multi_items() if key not in {"date", "x-request-id"}]
    without = [(key, re.sub(re.escape(name), "NAME", value)) for key, value in headers if key != "content-length"]
    return answer.status_code, without, answer.text.replace(name, "NAME")


class TestAnonymousPull:
    """`anonymous_pull`: who has no account may pull, and nothing else."""

    @pytest.fixture
    def shared(self, public: Deployment, repository: str) -> TinyImage:
        """An image pushed as `repository:v1` by the administrator."""
        made = tiny_image(repository)
        public.client().push_image(repository, made, "v1")
        return made

    def test_anybody_pulls(self, public: Deployment, repository: str, shared: TinyImage) -> None:
        """Without any Authorization."""
        stranger = public.anonymous()
        assert stranger.manifest(repository, "v1").content == shared.manifest
        assert stranger.manifest(repository, shared.digest, "HEAD").status_code == 200
        assert stranger.blob(repository, shared.config.digest).content == shared.config.data
        assert stranger.tags(repository).json()["tags"] == ["v1"]
        assert stranger.referrers(repository, shared.digest).json()["manifests"] == []

    @pytest.mark.parametrize("endpoint", WRITES)
    @pytest.mark.usefixtures("shared")
    def test_nobody_writes(self, public: Deployment, repository: str, endpoint: str) -> None:
        """Every write still asks who is there."""
        answer = ask(public.anonymous(), repository, endpoint)
        assert answer.status_code == 401
        assert Challenge.of(answer).scopes

    def test_a_wrong_password_is_no_anonymous_caller(
        self, public: Deployment, repository: str, shared: TinyImage
    ) -> None:
        """Who shows credentials wants them judged."""
        caller = RegistryClient(public.connect(httpx.BasicAuth("admin", "wrong")))
        assert is_refused(caller.manifest(repository, shared.digest), 401, "UNAUTHORIZED")

    def test_a_mount_is_not_for_anybody(
        self, public: Deployment, repository: str, other_repository: str, shared: TinyImage
    ) -> None:
        """Field-notes, section 2: an anonymous mount is not a way around the right to push (CVE-2024-39897)."""
        stranger = public.anonymous()
        assert is_refused(stranger.mount(other_repository, shared.config.digest, repository), 401, "UNAUTHORIZED")
        assert is_refused(stranger.mount(other_repository, shared.config.digest), 401, "UNAUTHORIZED")
        public.client().push_blob(other_repository, Blob(b"something else"))
        assert stranger.blob(other_repository, shared.config.digest).status_code == 404

    @pytest.mark.usefixtures("shared")
    def test_what_is_missing_is_404(self, public: Deployment, repository: str) -> None:
        """Everything may be pulled, so there is nothing to hide."""
        stranger = public.anonymous()
        assert is_refused(stranger.manifest(repository, "v2"), 404, "MANIFEST_UNKNOWN")
        assert is_refused(stranger.blob(repository, DIGEST), 404, "BLOB_UNKNOWN")
