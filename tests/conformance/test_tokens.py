"""The token endpoint, and what a bearer token opens (field-notes, sections 1 and 4)."""

import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import ADMIN, Deployment
from tests.conformance.tokens import caller, get_token, post_token
from tests.support.images import TinyImage, tiny_image
from tests.support.login import Challenge


class TestTokenEndpoint:
    """`/token`."""

    def test_a_get_answers_a_token(self, guarded: Deployment, repository: str) -> None:
        """`token`, the same as `access_token` for OAuth2 clients, its lifetime in seconds, and when it was issued."""
        answer = get_token(guarded, f"repository:{repository}:pull")
        assert answer.status_code == 200
        body = answer.json()
        assert body["token"] == body["access_token"]
        assert body["expires_in"] >= 60
        assert body["issued_at"].endswith(("Z", "+00:00"))

    def test_a_post_answers_a_token(self, guarded: Deployment, repository: str, private: TinyImage) -> None:
        """Field-notes, section 1: containerd asks by a POST form first; the token endpoint serves both."""
        answer = post_token(guarded, f"repository:{repository}:pull")
        assert answer.status_code == 200
        assert answer.json()["access_token"]
        assert caller(guarded, answer).manifest(repository, "v1").content == private.manifest

    def test_a_token_is_not_to_be_kept_by_a_cache(self, guarded: Deployment, repository: str) -> None:
        """RFC 6749, section 5.1: the server MUST include Cache-Control no-store in an answer containing tokens."""
        assert "no-store" in get_token(guarded, f"repository:{repository}:pull").headers["cache-control"]
        assert "no-store" in post_token(guarded, f"repository:{repository}:pull").headers["cache-control"]

    @pytest.mark.parametrize("login", [("admin", "wrong"), ("nobody", ADMIN[1]), ("admin", "")])
    def test_a_wrong_password_is_401(self, guarded: Deployment, repository: str, login: tuple[str, str]) -> None:
        """And nothing else, so that a docker login with it fails."""
        scope = f"repository:{repository}:pull"
        assert get_token(guarded, scope, login=login).status_code == 401
        assert post_token(guarded, scope, login).status_code in {400, 401}
        assert "token" not in get_token(guarded, scope, login=login).json()

    def test_a_login_without_a_scope_is_200(self, guarded: Deployment) -> None:
        """`docker login` asks for a token without any scope, then for the base."""
        assert caller(guarded, get_token(guarded)).base().status_code == 200

    @pytest.mark.parametrize(
        "scope",
        [
            "",
            "nonsense",
            "repository",
            "repository::pull",
            "repository:UPPER:pull",
            "repository:a/b:fly",
            "planet:earth:pull",
            "repository:a/b:pull,pull,push,*",
            ":::",
            "repository:../..:pull",
            "repository:a/b:" + "pull," * 100,
            "ä" * 50,
        ],
        ids=lambda scope: scope[:40],
    )
    def test_a_strange_scope_never_fails_the_request(
        self, guarded: Deployment, repository: str, private: TinyImage, scope: str
    ) -> None:
        """Field-notes, section 1: grant what is allowed, drop the rest, never fail the token request."""
        wanted = f"repository:{repository}:pull"
        for answer in (get_token(guarded, scope, wanted), post_token(guarded, f"{scope} {wanted}")):
            assert caller(guarded, answer).manifest(repository, "v1").content == private.manifest

    def test_several_scopes_come_as_parameters_or_between_spaces(
        self, guarded: Deployment, repository: str, other_repository: str, private: TinyImage
    ) -> None:
        """Field-notes, section 1: buildkit asks a token with pull on mount sources."""
        scopes = f"repository:{other_repository}:pull,push", f"repository:{repository}:pull"
        answers = (
            get_token(guarded, *scopes),
            get_token(guarded, " ".join(scopes)),
            post_token(guarded, " ".join(scopes)),
        )
        for answer in answers:
            mounted = caller(guarded, answer).mount(other_repository, private.config.digest, repository)
            assert mounted.status_code == 201

    def test_a_stranger_is_granted_no_scope(self, guarded: Deployment, repository: str, private: TinyImage) -> None:
        """Either no token, or one that opens nothing: private and missing look the same."""
        answer = get_token(guarded, f"repository:{repository}:pull,push", login=None)
        if answer.status_code != 401:
            holder = caller(guarded, answer)
            assert is_refused(holder.manifest(repository, private.digest), 401, "UNAUTHORIZED")
            assert is_refused(holder.start_upload(repository), 401, "UNAUTHORIZED")

    def test_a_stranger_is_granted_pull_where_anybody_may_pull(self, public: Deployment, repository: str) -> None:
        """Docker asks for an anonymous token after the challenge of the base."""
        made = tiny_image(repository)
        public.client().push_image(repository, made, "v1")
        holder = caller(public, get_token(public, f"repository:{repository}:pull,push", login=None))
        assert holder.manifest(repository, "v1").content == made.manifest
        assert is_refused(holder.start_upload(repository), 401, "UNAUTHORIZED")

    @pytest.mark.parametrize("fields", [{"grant_type": "wish"}, {"grant_type": ""}, {"username": ""}])
    def test_a_form_that_makes_no_sense_is_refused(
        self, guarded: Deployment, repository: str, fields: dict[str, str]
    ) -> None:
        """RFC 6749, section 5.2; containerd then goes on with a GET on 400, 401, 404 and 405."""
        answer = post_token(guarded, f"repository:{repository}:pull", fields=fields)
        assert answer.status_code in {400, 401}

    @pytest.mark.parametrize(
        "body", [b"", b"\xff\xfe", b"grant_type=password&username=%ff&password=%00", b"a" * 100_000, b"=&=&="]
    )
    def test_a_form_that_is_none_is_refused(self, guarded: Deployment, body: bytes) -> None:
        """Bad input is never a 500."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = guarded.connect(None).post("/token", content=body, headers=form)
        assert answer.status_code in {400, 401, 413}


class TestWhatATokenOpens:
    """A token is good for its scopes, at its service, as it was signed."""

    def test_another_repository_stays_closed(
        self, guarded: Deployment, repository: str, other_repository: str, private: TinyImage
    ) -> None:
        """Its scopes name repositories."""
        holder = caller(guarded, get_token(guarded, f"repository:{other_repository}:pull,push,delete"))
        answer = holder.manifest(repository, private.digest)
        assert is_refused(answer, 401, "UNAUTHORIZED")
        assert Challenge.of(answer).scopes == {f"repository:{repository}:pull"}

    def test_a_push_with_a_token_for_pulling_says_that_the_scope_is_too_narrow(
        self, guarded: Deployment, repository: str, private: TinyImage
    ) -> None:
        """RFC 6750, section 3.1: insufficient_scope, with the scope that would do."""
        holder = caller(guarded, get_token(guarded, f"repository:{repository}:pull"))
        assert holder.manifest(repository, "v1").content == private.manifest
        answer = holder.start_upload(repository)
        assert is_refused(answer, 401, "UNAUTHORIZED")
        assert Challenge.of(answer).parameters["error"] == "insufficient_scope"
        assert Challenge.of(answer).scopes == {f"repository:{repository}:pull,push"}

    @pytest.mark.parametrize("endpoint", ["manifests/v1", "manifests/{digest}", "blobs/{blob}"])
    def test_a_token_for_pushing_does_not_delete(
        self, guarded: Deployment, repository: str, private: TinyImage, endpoint: str
    ) -> None:
        """Field-notes, section 4: delete by tag and by digest pass one authorisation point."""
        holder = caller(guarded, get_token(guarded, f"repository:{repository}:pull,push"))
        target = endpoint.format(digest=private.digest, blob=private.config.digest)
        assert is_refused(holder.request("DELETE", f"/v2/{repository}/{target}"), 401, "UNAUTHORIZED")
        assert holder.manifest(repository, "v1").content == private.manifest

    def test_a_mount_needs_a_token_for_its_source_too(
        self, guarded: Deployment, repository: str, other_repository: str, private: TinyImage
    ) -> None:
        """Field-notes, section 1: containerd tries again without the mount on 401, and fails on 403 and 404."""
        holder = caller(guarded, get_token(guarded, f"repository:{other_repository}:pull,push"))
        answer = holder.mount(other_repository, private.config.digest, repository)
        assert answer.status_code == 202 or is_refused(answer, 401, "UNAUTHORIZED")
        assert holder.blob(other_repository, private.config.digest).status_code == 404

    def test_a_mount_without_source_needs_a_token_for_whoever_holds_the_blob(
        self, guarded: Deployment, repository: str, other_repository: str, private: TinyImage
    ) -> None:
        """Field-notes, section 2: 201 when the caller may pull a repository that holds the blob (CVE-2024-39897)."""
        target, holder = f"repository:{other_repository}:pull,push", f"repository:{repository}:pull"
        digest = private.layers[0].digest
        narrow = caller(guarded, get_token(guarded, target))
        answer = narrow.mount(other_repository, digest)
        assert answer.status_code == 202 or is_refused(answer, 401, "UNAUTHORIZED")
        assert narrow.blob(other_repository, digest).status_code == 404
        assert caller(guarded, get_token(guarded, target, holder)).mount(other_repository, digest).status_code == 201
        assert narrow.blob(other_repository, digest).content == private.layers[0].data

    def test_a_catalog_needs_its_own_scope(self, guarded: Deployment, repository: str, private: TinyImage) -> None:
        """The resource `registry:catalog:*`."""
        assert guarded.client().manifest(repository, "v1").content == private.manifest
        narrow = caller(guarded, get_token(guarded, f"repository:{repository}:pull"))
        assert is_refused(narrow.catalog(), 401, "UNAUTHORIZED")
        assert caller(guarded, get_token(guarded, "registry:catalog:*")).catalog().status_code == 200
