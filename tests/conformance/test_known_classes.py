"""How other registries were broken into (field-notes, section 4): each class is a test here, and named by its CVE."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.app import prepare
from registry.config import Settings
from registry.core.admission import AdmissionService
from registry.core.facts import ExternalIdentity
from registry.core.refusals import CredentialUnknown
from tests.architecture.tree import imported, python_files
from tests.conformance.claims import is_refused
from tests.conformance.peopled import Peopled, peopled
from tests.conformance.tokens import caller, get_token, post_token
from tests.support.client import RegistryClient
from tests.support.images import OCI_MANIFEST, Blob, index, tiny_image
from tests.support.registrar import PASSWORD, Login
from tests.support.server import settings_as_environment
from tests.unit.metadata.databases import quick_folder

APP, OTHER, PRIVATE = "team/app", "team/other", "private/app"
SECRET = Blob(b"what only those who may pull private/app know")


@pytest.fixture(scope="module")
def site() -> Iterator[Peopled]:
    """alice and bob write to team/**, the robot too; rita reads it. Nobody but the administrator sees private/**."""
    with quick_folder() as folder, peopled(folder / "data") as site:
        for name in ("alice", "bob", "rita", "mallory"):
            site.people.user(name)
        for name in ("alice", "bob"):
            site.people.grant(name, "team/**", "writer")
        site.people.grant("rita", "team/**", "reader")
        site.client().push_blob(PRIVATE, SECRET)
        yield site


@pytest.fixture
def alice(site: Peopled) -> RegistryClient:
    return site.client(("alice", PASSWORD))


def of(name: str) -> Login:
    return name, PASSWORD


class TestUploadSessions:
    """CVE-2026-32589: an upload session was anybody's who knew its id."""

    @pytest.mark.parametrize("who", ["bob", "admin", "rita", "mallory"])
    def test_nobody_else_touches_it(self, site: Peopled, alice: RegistryClient, who: str) -> None:
        location = alice.start_upload(APP).headers["location"]
        alice.patch(location, b"begun")
        other = site.client(of(who))
        answers = [
            other.upload_status(location),
            other.patch(location, b"spoilt"),
            other.close_upload(location, Blob(b"begun").digest),
            other.cancel_upload(location),
        ]
        wanted = (404, "BLOB_UPLOAD_UNKNOWN") if who in {"bob", "admin"} else (403, "DENIED")
        assert all(is_refused(answer, *wanted) for answer in answers)
        assert alice.upload_status(location).headers["range"] == "0-4"
        assert alice.close_upload(location, Blob(b"begun").digest).status_code == 201

    def test_one_that_is_anothers_looks_like_one_that_never_was(self, site: Peopled, alice: RegistryClient) -> None:
        location = alice.start_upload(APP).headers["location"]
        never = re.sub(r"[^/]+$", "00000000-0000-4000-8000-000000000000", location)
        private, missing = (site.client(of("bob")).upload_status(each) for each in (location, never))
        assert re.sub(r"[0-9a-f-]{36}", "", private.text) == re.sub(r"[0-9a-f-]{36}", "", missing.text)
        assert private.headers.multi_items() == missing.headers.multi_items()

    def test_another_repository_of_its_owner_does_not_know_it(self, alice: RegistryClient) -> None:
        location = alice.start_upload(APP).headers["location"]
        assert is_refused(alice.upload_status(location.replace(APP, OTHER)), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_another_credential_of_its_owner_goes_on(self, site: Peopled, alice: RegistryClient) -> None:
        """It is the principal's, for a token may end while a layer is on its way."""
        location = alice.start_upload(APP).headers["location"]
        assert site.by_basic(site.people.token("alice")).patch(location, b"on").status_code == 202

    def test_a_right_that_was_taken_away_ends_it(self, site: Peopled) -> None:
        """Rights are read at use."""
        site.people.user("carol")
        site.people.grant("carol", APP, "writer")
        carol = site.client(of("carol"))
        location = carol.start_upload(APP).headers["location"]
        site.people.take_back("carol", APP)
        data = Blob(b"too late")
        assert is_refused(carol.patch(location, data.data), 403, "DENIED")
        assert is_refused(carol.close_upload(location, data.digest, data.data), 403, "DENIED")
        assert site.client().blob(APP, data.digest).status_code == 404


class TestWritePaths:
    """CVE-2026-41888 and CVE-2026-31801: some way of writing passed by the check that all others made."""

    @pytest.mark.parametrize("who", ["rita", "mallory"])
    @pytest.mark.parametrize("comes_by", ["basic", "token"])
    def test_who_may_only_read_changes_nothing_in_any_way(self, site: Peopled, who: str, comes_by: str) -> None:
        made, new = site.image(APP), index(annotations={"by": who})
        narrow = caller(site.deployment, get_token(site.deployment, f"repository:{APP}:*", login=of(who)))
        reader = site.by_basic(of(who)) if comes_by == "basic" else narrow
        answers = [
            reader.delete_manifest(APP, "v1"),
            reader.delete_manifest(APP, made.digest),
            reader.delete_blob(APP, made.config.digest),
            reader.push_manifest(APP, "v1", new.manifest, new.media_type),
            reader.push_manifest(APP, new.digest, new.manifest, new.media_type),
            reader.push_manifest(APP, new.digest, new.manifest, new.media_type, tags=["v1", "v2"]),
            reader.push_manifest(APP, made.digest, made.manifest, made.media_type, tags=["v3"]),
            reader.push_at_once(APP, Blob(b"x").digest, b"x"),
            reader.start_upload(APP),
            reader.mount(APP, made.config.digest, APP),
        ]
        assert all(is_refused(answer, 403, "DENIED") for answer in answers)
        admin = site.client()
        assert admin.manifest(APP, "v1").content == made.manifest
        assert admin.tags(APP).json()["tags"] == ["v1"]
        assert admin.blob(APP, made.config.digest).content == made.config.data

    def test_who_may_only_add_tags_moves_none_by_any_way(self, site: Peopled) -> None:
        """The tags of a push by digest pass the same point as the tag of a push by tag."""
        site.people.user("cecil")
        site.people.grant("cecil", "tags/**", "creator")
        cecil, former, new = site.client(of("cecil")), index(), index(annotations={"new": "yes"})
        cecil.push_image("tags/app", former, "v1")
        refused = [
            cecil.push_manifest("tags/app", "v1", new.manifest, new.media_type),
            cecil.push_manifest("tags/app", new.digest, new.manifest, new.media_type, tags=["v0", "v1", "v2"]),
        ]
        assert all(is_refused(answer, 403, "DENIED") for answer in refused)
        assert cecil.tags("tags/app").json()["tags"] == ["v1"]
        assert cecil.manifest("tags/app", "v1").content == former.manifest
        assert cecil.push_image("tags/app", former, "v1").status_code == 201
        assert cecil.push_image("tags/app", new, "v2").status_code == 201


class TestReadingAcross:
    """CVE-2026-35172: a blob could be read where it was deleted; and blobs are kept once for all repositories."""

    def test_a_blob_deleted_here_is_unreadable_here_though_kept_elsewhere(
        self, site: Peopled, alice: RegistryClient
    ) -> None:
        blob = Blob(b"deleted in one place, kept in another")
        admin = site.client()
        for name in (APP, OTHER):
            admin.push_blob(name, blob)
        assert {alice.blob(APP, blob.digest, method).status_code for method in ("GET", "HEAD") * 3} == {200}
        assert admin.delete_blob(APP, blob.digest).status_code == 202
        assert {alice.blob(APP, blob.digest, method).status_code for method in ("GET", "HEAD") * 3} == {404}
        assert alice.blob(OTHER, blob.digest).content == blob.data

    def test_to_know_a_digest_opens_nothing(self, alice: RegistryClient) -> None:
        """CVE-2024-39897: a mount, with its source and without, gave away what its caller could not pull."""
        assert alice.blob(APP, SECRET.digest).status_code == 404
        assert is_refused(alice.blob(PRIVATE, SECRET.digest), 403, "DENIED")
        assert alice.mount(APP, SECRET.digest, PRIVATE).status_code == 202
        assert alice.mount(APP, SECRET.digest).status_code == 202
        assert alice.blob(APP, SECRET.digest).status_code == 404

    def test_a_manifest_does_not_fetch_what_its_pusher_may_not_pull(self, alice: RegistryClient) -> None:
        made = tiny_image("thief")
        alice.push_blob(APP, made.config)
        document = made.document | {"layers": [SECRET.descriptor()]}
        answer = alice.push_manifest(APP, "stolen", json.dumps(document).encode(), OCI_MANIFEST)
        assert is_refused(answer, 404, "MANIFEST_BLOB_UNKNOWN")
        assert alice.blob(APP, SECRET.digest).status_code == 404


class TestWhoBecomesMore:
    """Rights that were never given."""

    def test_no_password_is_there_from_the_start(self, tmp_path: Path) -> None:
        """CVE-2026-4404: a registry came with a password that everybody could look up."""
        made = [prepare(_settings(tmp_path / name)).admin_password or "" for name in ("one", "two")]
        assert len(set(made)) == 2
        assert all(len(each) >= 20 for each in made)
        with peopled(tmp_path / "one") as site:
            for known in ("", "admin", "password", "changeme", "Harbor12345", "entrepot", PASSWORD):
                assert site.by_basic(("admin", known)).base().status_code == 401
            assert site.by_basic(("admin", made[0])).base().status_code == 200

    def test_what_a_form_says_of_its_sender_is_not_believed(self, site: Peopled) -> None:
        """CVE-2019-16097: whoever sent `has_admin_role` along with its name became an administrator."""
        flags = {"is_admin": "true", "has_admin_role": "true", "sub": "1", "principal": "1", "account": "admin"}
        holder = caller(site.deployment, post_token(site.deployment, f"repository:{PRIVATE}:*", of("alice"), flags))
        assert is_refused(holder.blob(PRIVATE, SECRET.digest), 403, "DENIED")
        assert is_refused(holder.delete_blob(PRIVATE, SECRET.digest), 403, "DENIED")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "POST"])
    @pytest.mark.parametrize("said", [{"is_admin": True}, {"has_admin_role": True, "sysadmin_flag": True}, {"id": 1}])
    def test_nobody_makes_itself_an_administrator(self, site: Peopled, method: str, said: dict[str, object]) -> None:
        """CVE-2019-16097, where people are administered: what is not for the sender to say is refused, not left out."""
        for login in (of("alice"), site.people.token("alice"), site.people.token("alice", ("owner", "**"))):
            http = site.by_basic(login).http
            answer = http.request(method, "/api/v1/users/alice", json=said)
            assert answer.status_code in {403, 405, 422}
            made = http.post("/api/v1/users/alice/tokens", json={"label": "x", **said})
            assert made.status_code in {403, 422}
            assert http.get("/api/v1/me").json()["is_admin"] is False
        assert is_refused(site.client(of("alice")).blob(PRIVATE, SECRET.digest), 403, "DENIED")

    def test_a_token_that_was_limited_makes_none_that_is_not(self, site: Peopled) -> None:
        for login in (site.people.token("bob"), site.people.token("bob", ("reader", "team/**"))):
            made = site.by_basic(login).http.post("/api/v1/users/bob/tokens", json={"label": "wider"})
            assert made.status_code == 403

    def test_groups_are_those_of_the_last_sign_in(self, site: Peopled) -> None:
        """CVE-2025-23208: who had left a group kept its rights, because sign-ins only ever added groups."""
        site.image("devs/app")
        site.people.group("@devs")
        site.people.grant("@devs", "devs/**", "reader")
        admission = AdmissionService(site.people.metadata)
        for groups, status in ((frozenset({"@devs"}), 200), (frozenset({"@ops"}), 403), (frozenset[str](), 403)):
            admission.admit(ExternalIdentity("corp", "0815", "erin", groups, is_admin=False))
            erin = site.by_basic(site.people.token("erin"))
            assert erin.manifest("devs/app", "v1").status_code == status

    def test_an_administrators_flag_goes_with_the_next_sign_in(self, site: Peopled) -> None:
        """CVE-2025-23208, of the greatest right there is."""
        admission = AdmissionService(site.people.metadata)
        for is_admin, status in ((True, 200), (False, 403)):
            admission.admit(ExternalIdentity("corp", "0816", "frank", frozenset(), is_admin=is_admin))
            frank = site.by_basic(site.people.token("frank"))
            assert frank.blob(PRIVATE, SECRET.digest).status_code == status

    def test_what_belongs_to_another_looks_like_what_never_was(self, site: Peopled) -> None:
        """Ids of other people and of other projects answer 404, as those that nobody has (IDOR)."""
        site.people.token("alice")
        site.people.robot("private", "ci")
        of_alice, never = site.people.secrets("alice")[0].uuid, "00000000-0000-4000-8000-000000000000"
        pairs = [
            ("GET", "users/alice", "users/nobody"),
            ("GET", "users/alice/tokens", "users/nobody/tokens"),
            ("DELETE", f"users/alice/tokens/{of_alice}", f"users/nobody/tokens/{of_alice}"),
            ("DELETE", f"users/bob/tokens/{of_alice}", f"users/bob/tokens/{never}"),
            ("GET", "projects/private/robots", "projects/nothing/robots"),
            ("GET", "projects/private/robots/ci", "projects/private/robots/cd"),
            ("POST", "projects/private/robots/ci/secret", "projects/private/robots/cd/secret"),
            ("DELETE", "projects/private/robots/ci", "projects/private/robots/cd"),
        ]
        bob = site.by_basic(of("bob")).http
        for method, there, missing in pairs:
            told = [bob.request(method, f"/api/v1/{path}") for path in (there, missing)]
            assert [each.status_code for each in told] == [404, 404], there
            assert [set(each.json()) for each in told] == [set(told[0].json())] * 2
        assert of_alice in {each.uuid for each in site.people.secrets("alice")}

    def test_a_credential_is_revoked_by_its_owner_only(self, site: Peopled) -> None:
        """Below the routes too, where the id of a credential and its owner have to agree."""
        site.people.token("alice")
        of_alice = site.people.secrets("alice")[0]
        with pytest.raises(CredentialUnknown):
            site.people.revoke_one("bob", of_alice.uuid)
        assert of_alice.uuid in {each.uuid for each in site.people.secrets("alice")}


class TestBounds:
    """What comes is bounded before it is read."""

    def test_a_listing_is_as_long_as_we_say(self, site: Peopled, alice: RegistryClient) -> None:
        """CVE-2023-2253: `n` made a registry allocate whatever it was told."""
        site.image(APP)
        for n in ("1000001", "9" * 18):
            assert alice.tags(APP, n=n).json()["tags"]
            assert alice.catalog(n=n).status_code == 200
        assert is_refused(alice.catalog(n="9" * 400), 400, "UNSUPPORTED")

    @pytest.mark.parametrize("opening", [b"[", b'{"config":', b'{"a":['])
    def test_a_document_of_any_depth_is_refused(self, alice: RegistryClient, opening: bytes) -> None:
        answer = alice.push_manifest(APP, "deep", opening * 100_000, OCI_MANIFEST)
        assert is_refused(answer, 400, "MANIFEST_INVALID")

    def test_a_document_is_not_an_image_and_an_index_at_once(self, alice: RegistryClient) -> None:
        """CVE-2021-41190: two clients read one document as two things."""
        made = tiny_image("both")
        document = made.document | {"manifests": [made.descriptor()]}
        answer = alice.push_manifest(APP, "both", json.dumps(document).encode(), OCI_MANIFEST)
        assert is_refused(answer, 400, "MANIFEST_INVALID")

    def test_nothing_that_comes_is_turned_into_code(self) -> None:
        """Field-notes, section 4: no pickle, nor anything like it."""
        used = {name for path in python_files("registry") for name in imported(path)}
        assert not used & {"pickle", "cPickle", "dill", "marshal", "shelve", "jsonpickle", "yaml"}

    @pytest.mark.parametrize("name", ["../../etc", "team/..", "team/%2e%2e", "team//app", "team/.hidden", "team\\app"])
    def test_a_name_is_never_a_path(self, alice: RegistryClient, name: str) -> None:
        path = f"/v2/{name}/blobs/uploads/".encode()
        answer = alice.http.post("/", extensions={"target": path})
        assert is_refused(answer, {400, 401, 404}, "NAME_INVALID", "UNAUTHORIZED", "UNSUPPORTED")
        assert "passwd" not in answer.text

    @pytest.mark.parametrize("host", ['evil"', "evil\\", "a b", "evil,scope=x", "x" * 70 + '",error="'])
    def test_a_host_cannot_write_into_the_challenge(self, site: Peopled, host: str) -> None:
        answer = site.deployment.connect(None).get("/v2/", headers={"Host": host})
        assert re.fullmatch(
            r'Bearer realm="http://[a-z.:0-9]+/token",service="entrepot"', answer.headers["www-authenticate"]
        )


def _settings(data: Path) -> Settings:
    return Settings.load(environ=settings_as_environment({"data": data}))
