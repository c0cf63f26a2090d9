"""Whole repositories over HTTP: shown, deleted, restored, purged; and what was in them, by whoever may have it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import TinyImage, index, tiny_image
from tests.support.login import BearerLogin
from tests.unit.admin.site import ADMIN, PASSWORD, Person, Site, new_name, new_project
from tests.unit.admin.test_problems import named


@dataclass(frozen=True)
class Scene:
    """A project with a repository `app`, tagged `v1`, and one `other` that shares a layer with it."""

    site: Site
    project: str
    client: RegistryClient
    image: TinyImage

    @property
    def name(self) -> str:
        return f"{self.project}/app"

    @property
    def path(self) -> str:
        return f"/repositories/{self.name}"

    @property
    def admin(self) -> Person:
        return self.site.admin

    def who_may(self, *actions: str) -> Person:
        person = self.site.user()
        if actions:
            self.site.grant(person.name, f"{self.project}/**", *actions)
        return person

    def is_served(self, reference: str = "v1", name: str = "") -> bool:
        return self.client.manifest(name or self.name, reference).status_code == 200

    def delete(self) -> dict[str, Any]:
        answer = self.admin.delete(self.path)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def scene(anywhere: Site) -> Scene:
    project, http = new_project(), anywhere.client()
    http.auth = BearerLogin(ADMIN, PASSWORD)
    scene = Scene(anywhere, project, RegistryClient(http), tiny_image(project))
    for name in (scene.name, f"{project}/other"):
        scene.client.push_image(name, scene.image, "v1")
    return scene


def test_what_a_repository_holds_is_shown(scene: Scene) -> None:
    shown = scene.admin.get(scene.path).json()
    size = sum(len(each.data) for each in scene.image.blobs)
    assert shown["shared_with"] == [{"name": f"{scene.project}/other", "size": size}]
    assert (shown["name"], shown["tags"], shown["manifests"], shown["own"]) == (scene.name, 1, 1, 0)
    assert shown["size"] == size + len(scene.image.manifest)


def test_the_names_of_sharers_are_for_who_may_pull_them(scene: Scene) -> None:
    alice = scene.site.user()
    scene.site.grant(alice.name, scene.name, "pull")
    assert alice.get(scene.path).json()["shared_with"] == []


def test_a_deleted_repository_is_gone_at_once_and_comes_back(scene: Scene) -> None:
    assert scene.is_served()
    assert scene.client.tags(scene.name).status_code == 200
    deleted = scene.delete()
    assert (deleted["name"], deleted["deleted"] < deleted["restorable_until"]) == (scene.name, True)
    assert not scene.is_served()
    assert not scene.is_served(scene.image.digest)
    assert scene.client.tags(scene.name).status_code == 404
    assert scene.client.blob(scene.name, scene.image.blobs[0].digest).status_code == 404
    assert scene.name not in scene.client.catalog(n=1000).json()["repositories"]
    assert named(scene.admin.get(scene.path)) == (404, "repository-unknown")
    assert named(scene.admin.delete(scene.path)) == (404, "repository-unknown")
    restored = scene.admin.post(f"/deleted-repositories/{deleted['uuid']}/restore", {})
    assert (restored.status_code, restored.json()) == (200, {"name": scene.name})
    assert scene.is_served()


def test_one_whose_name_was_pushed_again_comes_back_under_another(scene: Scene) -> None:
    path = f"/deleted-repositories/{scene.delete()['uuid']}"
    scene.client.push_image(scene.name, index(annotations={"made for": scene.name}), "v1")
    assert named(scene.admin.post(f"{path}/restore", {})) == (409, "not-restorable")
    assert named(scene.admin.post(f"{path}/restore", {"name": f"{new_project()}/app"})) == (409, "not-restorable")
    assert named(scene.admin.post(f"{path}/restore", {"name": "No Name"})) == (400, "repository-name-invalid")
    name = f"{scene.project}/former"
    assert scene.admin.post(f"{path}/restore", {"name": name}).json() == {"name": name}
    assert scene.client.manifest(name, "v1").content == scene.image.manifest


def test_deleted_repositories_are_listed_by_the_page(scene: Scene) -> None:
    first = scene.delete()
    scene.client.push_image(scene.name, scene.image, "v1")
    second = scene.delete()
    assert scene.admin.delete(f"/repositories/{scene.project}/other").status_code == 200
    owner = scene.who_may("owner")
    page = owner.get("/deleted-repositories", limit=1).json()
    rest = owner.get("/deleted-repositories", limit=5, after=page["next"]).json()
    assert rest["next"] is None
    items = page["items"] + rest["items"]
    assert [each["name"] for each in items] == [scene.name, scene.name, f"{scene.project}/other"]
    assert sorted(each["uuid"] for each in items[:2]) == sorted(each["uuid"] for each in (first, second))
    assert owner.get(f"/deleted-repositories/{first['uuid']}").json() == first


def test_a_purged_repository_is_there_for_nobody(scene: Scene) -> None:
    path = f"/deleted-repositories/{scene.delete()['uuid']}"
    assert scene.admin.delete(path).status_code == 204
    assert named(scene.admin.post(f"{path}/restore", {})) == (409, "not-restorable")
    assert scene.who_may("owner").get("/deleted-repositories").json()["items"] == []


def test_what_a_tag_was_is_told_and_comes_back(scene: Scene) -> None:
    path, other = f"{scene.path}/-/tags/v1", index(annotations={"made for": scene.name})
    scene.client.push_image(scene.name, other, "v1")
    history = scene.admin.get(f"{path}/history").json()["items"]
    assert [each["digest"] for each in history] == [other.digest, scene.image.digest]
    assert (history[0]["ended"], history[1]["ended_by"]) == (None, ADMIN)
    then = scene.admin.get(f"{path}/history", at=history[1]["since"]).json()["items"]
    assert [each["digest"] for each in then] == [scene.image.digest]
    first = scene.admin.get(f"{path}/history", limit=1).json()
    assert scene.admin.get(f"{path}/history", limit=1, after=first["next"]).json()["items"] == history[1:]
    restored = scene.admin.post(f"{path}/restore", {})
    assert restored.json() == {"tag": "v1", "digest": scene.image.digest}
    assert scene.client.manifest(scene.name, "v1").content == scene.image.manifest
    again = scene.admin.post(f"{path}/restore", {"at": history[0]["since"]}).json()
    assert again["digest"] == other.digest
    assert named(scene.admin.post(f"{scene.path}/-/tags/never/restore", {})) == (404, "manifest-unknown")


def test_a_deleted_manifest_is_listed_restored_and_purged(scene: Scene) -> None:
    path, digest = f"{scene.path}/-/deleted-manifests", scene.image.digest
    assert named(scene.admin.delete(f"{path}/{digest}")) == (409, "not-deleted")
    scene.client.delete_manifest(scene.name, digest)
    [listed] = scene.admin.get(path).json()["items"]
    assert (listed["digest"], listed["size"]) == (digest, len(scene.image.manifest))
    assert scene.admin.get(path, after=digest).json()["items"] == []
    assert scene.admin.post(f"{path}/{digest}/restore").status_code == 204
    assert scene.is_served(digest)
    scene.client.delete_manifest(scene.name, digest)
    assert scene.admin.delete(f"{path}/{digest}").status_code == 204
    assert scene.admin.get(path).json()["items"] == []
    assert named(scene.admin.post(f"{path}/{digest}/restore")) == (409, "not-restorable")
    assert named(scene.admin.get(path, after="nonsense")) == (400, "digest-invalid")


def asked(scene: Scene, uuid: str) -> dict[str, tuple[str, str, object]]:
    """What each word of a grant allows, in the order in which it can be asked without being in its own way."""
    digest = scene.image.digest
    return {
        "see": ("GET", scene.path, None),
        "see the past": ("GET", f"{scene.path}/-/tags/v1/history", None),
        "restore a tag": ("POST", f"{scene.path}/-/tags/v1/restore", {}),
        "list deleted manifests": ("GET", f"{scene.path}/-/deleted-manifests", None),
        "restore a manifest": ("POST", f"{scene.path}/-/deleted-manifests/{digest}/restore", None),
        "purge a manifest": ("DELETE", f"{scene.path}/-/deleted-manifests/{digest}", None),
        "delete": ("DELETE", scene.path, None),
        "see deleted": ("GET", f"/deleted-repositories/{uuid}", None),
        "restore": ("POST", f"/deleted-repositories/{uuid}/restore", {"name": f"{scene.project}/{new_name()}"}),
        "purge": ("DELETE", f"/deleted-repositories/{uuid}", None),
    }


ALLOWED = {
    "pull": {"see", "see the past"},
    "creator": {"see", "see the past"},
    "writer": {
        "see",
        "see the past",
        "restore a tag",
        "list deleted manifests",
        "restore a manifest",
        "see deleted",
        "restore",
    },
    "pull,delete": {"see", "see the past", "delete"},
    "pull,admin": {"see", "see the past", "purge a manifest", "see deleted", "purge"},
}


@pytest.mark.parametrize("words", ALLOWED)
def test_to_delete_takes_delete_to_restore_push_and_to_purge_admin(scene: Scene, words: str) -> None:
    uuid = scene.admin.delete(f"/repositories/{scene.project}/other").json()["uuid"]
    scene.client.push_image(scene.name, index(annotations={"made for": scene.name}), "v1")
    person = scene.who_may(*words.split(","))
    statuses = {
        what: person.ask(method, path, json=document).status_code
        for what, (method, path, document) in asked(scene, uuid).items()
    }
    refused = {what for what, status in statuses.items() if status in {403, 404}}
    assert statuses.keys() - refused == ALLOWED[words], statuses


def test_to_who_may_not_pull_it_a_repository_is_not_there(scene: Scene) -> None:
    uuid = scene.admin.delete(f"/repositories/{scene.project}/other").json()["uuid"]
    alice = scene.site.user()
    absent = Scene(scene.site, new_project(), scene.client, scene.image)
    nobodys = "8eeb9ed7-737b-48ac-b533-a14ad3ec3487"
    for what in asked(scene, uuid):
        method, there, document = asked(scene, uuid)[what]
        gone = asked(absent, nobodys)[what][1]
        answers = [alice.ask(method, path, json=document) for path in (there, gone)]
        assert [each.status_code for each in answers] == [404, 404], what
        texts = [told(answers[0], scene.project, uuid), told(answers[1], absent.project, nobodys)]
        assert texts[0] == texts[1]


def told(answer: httpx.Response, project: str, uuid: str) -> str:
    return answer.text.replace(project, "").replace(uuid, "")


def test_a_token_with_limits_deletes_within_them_and_purges_nothing(scene: Scene) -> None:
    limits = [{"pattern": f"{scene.project}/app", "actions": ["pull", "delete"]}]
    made = scene.admin.post("/users/admin/tokens", {"label": "narrow", "limits": limits}).json()
    narrow = scene.site.bearer(made["secret"])
    assert named(narrow.delete(f"/repositories/{scene.project}/other"))[0] == 404
    uuid = narrow.delete(scene.path).json()["uuid"]
    assert named(narrow.delete(f"/deleted-repositories/{uuid}")) == (404, "deleted-repository-unknown")


def test_a_name_that_is_none_is_told_of(scene: Scene) -> None:
    for path in ("/repositories/No", f"{scene.path}/-/nothing", f"/repositories/{'a' * 256}"):
        assert scene.admin.get(path).status_code in {400, 422}
    assert scene.admin.get(f"{scene.path}/-/tags/-/history").status_code == 422
