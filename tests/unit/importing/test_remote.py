"""`importing.remote`: everything that a tag leads to comes over HTTP, and what does not come is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest

from registry.client.origin import Origin
from registry.client.registry import Registry
from registry.client.transport import Patience
from registry.importing import remote as module
from registry.importing.rehearsal import Rehearsal
from registry.importing.remote import RemoteRegistry
from registry.importing.report import Report
from registry.importing.run import Import
from registry.importing.source import Lost, Unreadable
from registry.oci.digest import Digest
from registry.oci.names import fallback_tag
from tests.support.elsewhere import Elsewhere, Reply, Seen, json_reply
from tests.support.images import DOCKER, OCI_MANIFEST, Blob, TinyImage, artifact, digest_of, index, tiny_image
from tests.unit.core.house import House
from tests.unit.importing.importing import LIMIT, Watching, destination, reasons, serves, sums

NAME = "team/app"
LARGE = 20_000
HURRIED = Patience(attempts=2, first_pause=0.001, longest_pause=0.01)

Importing = Callable[..., Report]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as registry:
        yield registry


@pytest.fixture
def run(house: House, elsewhere: Elsewhere) -> Iterator[Importing]:
    with ExitStack() as stack:

        def run(*patterns: str, names: Sequence[str] = (), watcher: Watching | None = None) -> Report:
            behind = stack.enter_context(Registry.at(Origin.of(elsewhere.url), patience=HURRIED))
            source = RemoteRegistry(behind, 4, names)
            return Import(source, destination(house), LIMIT, 4, watcher or Watching()).run(patterns)

        yield run


def test_everything_that_a_tag_leads_to_comes_byte_for_byte(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    inner = index(*(tiny_image(each, layers=2, layer_size=LARGE) for each in ("amd64", "arm64")))
    made = index(inner, tiny_image("other"))
    docker = tiny_image("docker", layer_size=LARGE, style=DOCKER)
    signature = artifact(subject=made)
    about_a_child, about_that = artifact("a/child", subject=inner.children[0]), artifact("b/that", subject=signature)
    unreachable = tiny_image("untagged")
    elsewhere.push(NAME, made, "1", "latest")
    for each in (signature, about_a_child, about_that, unreachable):
        elsewhere.push(NAME, each)
    elsewhere.push("bare", docker, "2")
    report = run()
    assert not report.broken
    assert serves(house, NAME, made, ["1", "latest"])
    assert all(serves(house, NAME, each) for each in (signature, about_a_child, about_that))
    assert serves(house, "bare", docker, ["2"])
    assert not serves(house, NAME, unreachable)
    assert (report.repositories, report.manifests, report.tags) == (2, 5 + 3 + 1, 3)
    assert house.used() == house.owed()


def test_what_is_there_already_is_not_fetched_again(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("again", layers=3, layer_size=LARGE)
    elsewhere.push(NAME, image, "1", "2")
    run()
    elsewhere.seen.clear()
    assert sums(run()) == {"repositories": 1, "manifests present": 1, "tags present": 2, "blobs present": 4}
    assert not [path for path in elsewhere.paths() if "/blobs/" in path]


def test_each_manifest_is_fetched_once_and_each_blob_once_for_all_repositories(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    image = tiny_image("shared", layers=2, layer_size=LARGE)
    for name in ("a", "b/c"):
        elsewhere.push(name, image, "1")
    report = run()
    assert sums(report)["blobs present"] == sums(report)["blobs copied"] == 3
    asked = [path for path in elsewhere.paths() if "/blobs/" in path or "/manifests/" in path]
    assert len(asked) == len(set(asked)) == 3 + 2
    assert all(serves(house, name, image, ["1"]) for name in ("a", "b/c"))


def test_a_media_type_that_only_the_header_tells_is_kept(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("header", layer_size=LARGE)
    bare = replace(image, manifest=image.manifest.replace(b'"mediaType": "%b",\n  ' % OCI_MANIFEST.encode(), b"", 1))
    foreign = replace(bare, media_type="application/vnd.example.thing.v1+json", manifest=bare.manifest + b"\n")
    assert bare.manifest != image.manifest
    elsewhere.push(NAME, bare, "1")
    elsewhere.push(NAME, foreign, "2")
    assert not run().broken
    kept = dict(house.rows("SELECT digest, media_type FROM manifest"))
    assert kept == {Digest.parse(each.digest).packed: each.media_type for each in (bare, foreign)}


def test_a_media_type_that_contradicts_its_header_is_told(elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("contradiction")
    elsewhere.push(NAME, replace(image, media_type="application/vnd.oci.image.index.v1+json"), "1")
    ((_, _, first), (_, _, second)) = reasons(run())
    assert first.startswith("mediaType differs from Content-Type: ")
    assert second == f"it points to {image.digest}, which is broken"


def test_a_platform_that_is_not_there_takes_its_index_along_and_nothing_else(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    there, gone, whole = tiny_image("there"), tiny_image("gone"), tiny_image("whole")
    sparse = index(there, gone)
    elsewhere.push(NAME, sparse, "sparse")
    elsewhere.push(NAME, whole, "whole")
    del elsewhere.manifests[NAME, gone.digest]
    report = run()
    path = f"/v2/{NAME}/manifests/{gone.digest}"
    assert reasons(report) == [
        ("manifest", gone.digest, f"{path}: 404 MANIFEST_UNKNOWN: manifest_unknown here"),
        ("manifest", sparse.digest, f"it needs {gone.digest}"),
        ("tag", "sparse", f"it points to {sparse.digest}, which is not imported"),
    ]
    assert serves(house, NAME, there)
    assert serves(house, NAME, whole, ["whole"])


def test_a_subject_that_is_not_there_is_not_missed(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    signature = artifact(subject=tiny_image("never pushed"))
    elsewhere.push(NAME, signature, "signature")
    assert not run().broken
    assert serves(house, NAME, signature, ["signature"])


def test_a_subject_without_a_tag_comes_with_what_refers_to_it(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    image = tiny_image("subject")
    elsewhere.push(NAME, image)
    elsewhere.push(NAME, artifact(subject=image), "signature")
    assert sums(run())["manifests imported"] == 2
    assert serves(house, NAME, image)


def test_without_the_api_referrers_come_by_the_tag_that_stands_in_for_it(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    image = tiny_image("old")
    signature = artifact(subject=image)
    tag = str(fallback_tag(Digest.parse(image.digest)))
    elsewhere.has_referrers = False
    elsewhere.push(NAME, image, "1")
    for number in range(20):
        elsewhere.push(NAME, tiny_image(f"old/{number}"), f"v{number}")
    elsewhere.push(NAME, index(signature), tag)
    assert not run().broken
    assert serves(house, NAME, signature)
    # Asked for by the threads that were under way, and not after that.
    assert len([path for path in elsewhere.paths() if "/referrers/" in path]) <= 4


def test_a_repository_without_the_api_says_nothing_of_the_next(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    """Behind one name there may be several registries: one of them proxied, or older."""
    image, signed = tiny_image("without"), tiny_image("with")
    elsewhere.push("a/old", image, "1")
    elsewhere.always[f"/v2/a/old/referrers/{image.digest}"] = Reply(404, b"404 page not found")
    elsewhere.push("b/new", signed, "1")
    elsewhere.push("b/new", artifact(subject=signed))
    assert not run().broken
    assert serves(house, "b/new", artifact(subject=signed))


def test_more_tags_than_are_asked_for_at_once_all_come(
    house: House, elsewhere: Elsewhere, run: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, other = tiny_image("many"), tiny_image("other")
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    elsewhere.push(NAME, image, *map(str, range(8)))
    elsewhere.push(NAME, other, *(f"o{each}" for each in range(7)))
    assert sums(run())["tags set"] == 15
    assert serves(house, NAME, image, list(map(str, range(8))))


def test_a_repository_that_is_forbidden_is_told_and_the_others_come(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    image = tiny_image("allowed")
    for name in ("a", "secret", "z"):
        elsewhere.push(name, image, "1")
    elsewhere.always["/v2/secret/tags/list"] = Reply(403, b'{"errors": [{"code": "DENIED", "message": "no"}]}')
    report = run()
    assert [str(each) for each in report.broken] == ["repository secret: /v2/secret/tags/list: 403 DENIED: no"]
    assert all(serves(house, name, image, ["1"]) for name in ("a", "z"))


@pytest.mark.parametrize("how", ["missing", "wrong", "long", "cut"])
def test_a_damaged_blob_takes_its_image_along_and_nothing_else(
    house: House, elsewhere: Elsewhere, run: Importing, how: str
) -> None:
    image, whole = tiny_image("damaged", layer_size=LARGE), tiny_image("whole", layer_size=LARGE)
    for each in (image, whole):
        elsewhere.push(NAME, each, each.digest[-8:])
    layer = image.layers[0]
    path = f"/v2/{NAME}/blobs/{layer.digest}"
    flipped = bytes([layer.data[0] ^ 1]) + layer.data[1:]
    elsewhere.always[path] = {
        "missing": Reply(404),
        "wrong": Reply(200, flipped),
        "long": Reply(200, layer.data + b"x"),
        "cut": Reply(200, layer.data, sent=5),
    }[how]
    ((what, name, reason), *others) = reasons(run())
    assert (what, name) == ("blob", layer.digest)
    told = {
        "missing": f"{path}: 404",
        "wrong": f"its data is {digest_of(flipped)}",
        "long": f"{path}: has {layer.size + 1} bytes instead of {layer.size}",
        "cut": f"{path}: 127.0.0.1:{elsewhere.port} broke off",
    }
    assert reason.startswith(told[how])
    assert others == [
        ("manifest", image.digest, f"it needs {layer.digest}"),
        ("tag", image.digest[-8:], f"it points to {image.digest}, which is not imported"),
    ]
    assert serves(house, NAME, whole, [whole.digest[-8:]])
    assert house.rows("SELECT count(*) FROM upload WHERE finished IS NULL") == [(0,)]


def test_a_layer_that_may_be_left_out_is_not_missed(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    foreign = Blob(b"windows" * 1_000, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    image = tiny_image("foreign")
    both = artifact(None, *image.layers, foreign, config=image.config)
    elsewhere.push(NAME, both, "1")
    del elsewhere.blobs[NAME, foreign.digest]
    assert not run().broken


def test_tags_that_cannot_be_taken_are_told_each(elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("tags")
    elsewhere.push(NAME, image, "fine", "-odd", "gone", "garbage")
    elsewhere.tags[NAME]["gone"] = digest_of(b"gone")
    elsewhere.always[f"/v2/{NAME}/manifests/garbage"] = Reply(200, b"garbage")
    report = run()
    broken = {name: reason for what, name, reason in reasons(report) if what == "tag"}
    assert broken["-odd"] == "not a tag"
    assert broken["gone"].endswith("404 MANIFEST_UNKNOWN: manifest_unknown here")
    assert broken["garbage"] == f"it points to {digest_of(b'garbage')}, which is broken"
    assert sums(report)["tags set"] == 1


def test_a_repository_whose_last_tag_is_gone_is_empty_unless_it_was_named(elsewhere: Elsewhere, run: Importing) -> None:
    elsewhere.always["/v2/_catalog"] = json_reply({"repositories": ["emptied", "Odd"]})
    report = run()
    assert [str(each) for each in report.broken] == ["repository Odd: not a repository name"]
    assert report.repositories == 1
    named = run("emptied", names=["emptied"])
    assert [each.name for each in named.broken] == [""]
    assert named.broken[0].reason.startswith("/v2/emptied/tags/list: 404 NAME_UNKNOWN")


def test_named_repositories_need_no_catalog(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("named")
    elsewhere.catalog = False
    for name in ("a", "b"):
        elsewhere.push(name, image, "1")
    assert sums(run("b", names=["b"]))["repositories"] == 1
    assert "/v2/_catalog" not in elsewhere.paths()
    with pytest.raises(Unreadable, match="it does not list its repositories, so they have to be named: /v2/_catalog"):
        run()


def test_a_watcher_hears_of_everything(elsewhere: Elsewhere, run: Importing) -> None:
    watching = Watching()
    elsewhere.push("a", index(tiny_image("x"), tiny_image("y")), "1")
    elsewhere.push("b", tiny_image("z"), "1")
    run(watcher=watching)
    assert (watching.begun, watching.advanced, watching.done) == ((2, None), 4, ["a", "b"])
    assert len(watching.read) == 6


def test_a_source_that_leaves_ends_the_import(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    image = tiny_image("half", layers=3, layer_size=LARGE)
    elsewhere.push("a", image, "1")
    elsewhere.push("b", image, "1")
    gone: list[str] = []

    def leaving(seen: Seen) -> Reply | None:
        gone.extend([seen.path] if "/b/" in seen.path else [])
        return Reply(503) if gone else None

    elsewhere.before = leaving
    with pytest.raises(Lost, match=f"127.0.0.1:{elsewhere.port} answers 503"):
        run()
    assert serves(house, "a", image, ["1"])
    elsewhere.before = lambda _: None
    assert not run().broken
    assert serves(house, "b", image, ["1"])


def test_one_that_only_fails_for_one_thing_does_not(house: House, elsewhere: Elsewhere, run: Importing) -> None:
    bad, good = tiny_image("bad"), tiny_image("good")
    elsewhere.push(NAME, bad, "bad")
    elsewhere.push(NAME, good, "good")
    elsewhere.always[f"/v2/{NAME}/manifests/bad"] = Reply(504)
    assert reasons(run()) == [("tag", "bad", f"127.0.0.1:{elsewhere.port} answers 504")]
    assert serves(house, NAME, good, ["good"])


def test_referrers_that_cannot_be_listed_are_told_and_the_image_comes(
    house: House, elsewhere: Elsewhere, run: Importing
) -> None:
    image = tiny_image("unlisted")
    elsewhere.push(NAME, image, "1")
    path = f"/v2/{NAME}/referrers/{image.digest}"
    elsewhere.always[path] = Reply(500)
    assert reasons(run()) == [("manifest", image.digest, f"its referrers: {path}: 500")]
    assert serves(house, NAME, image, ["1"])


def test_referrers_without_end_have_one(elsewhere: Elsewhere, run: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request for referrers invents another one."""
    last: list[TinyImage] = [tiny_image("first")]
    elsewhere.push(NAME, last[0], "1")

    def inventing(seen: Seen) -> Reply | None:
        if "/referrers/" not in seen.path:
            return None
        last.append(artifact(subject=last[-1]))
        elsewhere.push(NAME, last[-1])
        return json_reply({"manifests": [{"digest": last[-1].digest}]})

    elsewhere.before = inventing
    monkeypatch.setattr(module, "_MOST_MANIFESTS", 10)
    assert reasons(run()) == [("repository", "", "it has more than 10 manifests")]
    assert len(last) == 11


def test_what_finds_no_room_between_survey_and_push_is_fetched_again(
    house: House, elsewhere: Elsewhere, run: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tiny_image("first"), tiny_image("second")
    elsewhere.push(NAME, first, "1")
    elsewhere.push(NAME, second, "2")
    monkeypatch.setattr(module, "_KEPT", len(first.manifest) + 1)
    assert not run().broken
    asked = [path for path in elsewhere.paths() if "/manifests/" in path]
    assert len(asked) == 3
    assert all(serves(house, NAME, each) for each in (first, second))


def test_a_dry_run_verifies_the_same(elsewhere: Elsewhere) -> None:
    image, bad = tiny_image("dry", layers=2, layer_size=LARGE), tiny_image("bad", layer_size=LARGE)
    elsewhere.push(NAME, index(image, tiny_image("child")), "1")
    elsewhere.push(NAME, bad, "2")
    elsewhere.blobs[NAME, bad.layers[0].digest] = bytes(bad.layers[0].size)
    with Registry.at(Origin.of(elsewhere.url), patience=HURRIED) as behind:
        report = Import(RemoteRegistry(behind, 2), Rehearsal(), LIMIT, 2, Watching()).run()
    assert [each.what.value for each in report.broken] == ["blob", "manifest", "tag"]
    assert sums(report)["manifests imported"] == 3


def test_nothing_is_asked_of_a_repository_that_was_not_chosen(elsewhere: Elsewhere, run: Importing) -> None:
    for name in ("team/app", "away"):
        elsewhere.push(name, tiny_image("chosen"), "1")
    assert sums(run("team/*"))["repositories"] == 1
    assert not [path for path in elsewhere.paths() if "away" in path]


def test_a_name_is_never_a_path(elsewhere: Elsewhere, run: Importing) -> None:
    elsewhere.always["/v2/_catalog"] = json_reply({"repositories": ["../../etc", "a/../b", "team/app?n=1"]})
    assert [each.reason for each in run().broken] == ["not a repository name"] * 3
    assert elsewhere.paths() == ["/v2/", "/v2/_catalog"]
