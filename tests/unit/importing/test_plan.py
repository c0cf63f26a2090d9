"""`importing.plan`: what is to be done, and in which order."""

from __future__ import annotations

import json

from registry.importing.plan import RepositoryPlan, plan_repository
from registry.importing.report import What
from registry.oci.names import RepositoryName, Tag
from tests.support.images import DOCKER, Blob, Pushable, artifact, digest_of, index, tiny_image
from tests.unit.importing.trees import WrittenTree

NAME = "team/app"
LIMIT = 1 << 20


def plan(written: WrittenTree, limit: int = LIMIT) -> RepositoryPlan:
    return plan_repository(written.source, RepositoryName(NAME), limit)


def broken(plan: RepositoryPlan) -> list[tuple[What, str, str]]:
    return [(each.what, each.name, each.reason) for each in plan.broken]


def put(written: WrittenTree, content: bytes, *tags: str) -> str:
    """A revision of any bytes."""
    digest = digest_of(content)
    written.write_data(digest, content)
    written.write(written.revision(NAME, digest), digest.encode())
    for tag in tags:
        written.write(written.tag(NAME, tag), digest.encode())
    return digest


def test_parts_come_before_wholes_and_subjects_before_what_refers_to_them(written: WrittenTree) -> None:
    images = [tiny_image(f"order/{number}") for number in range(6)]
    inner = index(*images[:3])
    outer = index(inner, *images[2:])
    signature = artifact(subject=outer)
    about: list[Pushable] = [signature, artifact(subject=signature)]
    for each in (outer, *about):
        written.push(NAME, each)
    order = [str(each.digest) for each in plan(written).manifests]
    assert len(order) == len(set(order)) == 6 + 2 + 2
    pairs: list[tuple[Pushable, Pushable]] = [(inner, outer)]
    pairs += [(each, inner) for each in images[:3]] + [(each, outer) for each in images]
    for part, whole in pairs:
        assert order.index(part.digest) < order.index(whole.digest)
    assert order.index(outer.digest) < order.index(about[0].digest) < order.index(about[1].digest)


def test_a_manifest_comes_with_its_blobs_and_its_tags(written: WrittenTree) -> None:
    image = tiny_image("tags", layers=2, style=DOCKER)
    written.push(NAME, image, "b", "a")
    (planned,) = plan(written).manifests
    assert planned.tags == (Tag("a"), Tag("b"))
    assert [str(each.digest) for each in planned.blobs] == [each.digest for each in image.blobs]


def test_a_manifest_without_a_tag_comes_too(written: WrittenTree) -> None:
    image = tiny_image("untagged")
    written.push(NAME, image)
    (planned,) = plan(written).manifests
    assert (str(planned.digest), planned.tags) == (image.digest, ())


def test_layers_that_no_manifest_references_are_counted(written: WrittenTree) -> None:
    written.push(NAME, tiny_image("kept"), "1")
    for data in (b"one", b"two"):
        written.push_blob(NAME, Blob(data))
    done = plan(written)
    assert (done.unreferenced, done.broken) == (2, ())


def test_schema_1_is_named(written: WrittenTree) -> None:
    content = json.dumps({"schemaVersion": 1, "name": "x", "tag": "1", "fsLayers": [], "history": []}).encode()
    digest = put(written, content, "old")
    reason = "docker image manifest schema 1 is obsolete and not imported"
    dangling = f"it points to {digest}, which is broken"
    assert broken(plan(written)) == [(What.MANIFEST, digest, reason), (What.TAG, "old", dangling)]


def test_manifests_that_cannot_be_read_are_broken_each_for_its_reason(written: WrittenTree) -> None:
    garbage, array = put(written, b"garbage"), put(written, b"[]")
    missing, flipped, large = tiny_image("missing"), tiny_image("flipped"), put(written, b"x" * 5_000)
    for image in (missing, flipped):
        written.push(NAME, image)
    written.data(missing.digest).unlink()
    written.flip(flipped.digest)
    reasons = {name: reason for _, name, reason in broken(plan(written, limit=4_000))}
    assert reasons.keys() == {garbage, array, missing.digest, flipped.digest, large}
    assert reasons[garbage].startswith("not JSON")
    assert reasons[array] == "not a JSON object"
    assert reasons[missing.digest] == "its data is missing"
    changed = digest_of(written.data(flipped.digest).read_bytes())
    assert reasons[flipped.digest] == f"its data is {changed}, {len(flipped.manifest)} bytes"
    assert reasons[large] == "it has 5000 bytes, and 4000 are the most"


def test_a_tag_of_no_manifest_dangles(written: WrittenTree) -> None:
    image = tiny_image("deleted")
    written.push(NAME, image, "1")
    written.revision(NAME, image.digest).unlink()
    reason = f"it points to {image.digest}, which is no manifest of this repository"
    assert broken(plan(written)) == [(What.TAG, "1", reason)]


def test_a_broken_link_of_a_layer_is_told_here_only_where_no_manifest_will(written: WrittenTree) -> None:
    image, stray = tiny_image("links"), Blob(b"stray")
    written.push(NAME, image)
    written.push_blob(NAME, stray)
    for digest in (image.layers[0].digest, stray.digest):
        written.layer(NAME, digest).write_bytes(b"")
    assert broken(plan(written)) == [(What.BLOB, stray.digest, "its link is empty")]


def test_a_manifest_that_two_indexes_name_comes_once(written: WrittenTree) -> None:
    image = tiny_image("twice")
    for made in (index(image, image), index(image, annotations={"number": "2"})):
        written.push(NAME, made)
    first, *others = [str(each.digest) for each in plan(written).manifests]
    assert first == image.digest
    assert len(others) == 2
