"""`importing.run`: what comes, what is there already, and what is told of the rest."""

from __future__ import annotations

import pytest

from registry.importing.adopt import FolderAdopter
from registry.oci.digest import Digest
from registry.oci.errors import RegistryError, StorageFull, Unavailable
from registry.oci.names import RepositoryName
from tests.support.images import DOCKER, Blob, TinyImage, artifact, digest_of, index, tiny_image
from tests.unit.core.house import House
from tests.unit.importing.importing import Watching, reasons, run, serves, sums
from tests.unit.importing.trees import WrittenTree

NAME = "team/app"
LARGE = 20_000


def test_everything_comes_byte_for_byte(house: House, written: WrittenTree) -> None:
    made = index(*(tiny_image(each, layers=2, layer_size=LARGE) for each in ("amd64", "arm64")))
    docker, untagged = tiny_image("docker", layer_size=LARGE, style=DOCKER), tiny_image("untagged")
    signature = artifact(subject=made)
    written.push(NAME, made, "1", "latest")
    written.push(NAME, untagged)
    written.push(NAME, signature)
    written.push("bare", docker, "2")
    report = run(house, written)
    assert not report.broken
    assert serves(house, NAME, made, ["1", "latest"])
    assert serves(house, NAME, untagged)
    assert serves(house, NAME, signature)
    assert serves(house, "bare", docker, ["2"])
    assert sums(report) == {
        "repositories": 2,
        "manifests imported": 6,
        "tags set": 3,
        "blobs adopted": 5,
        "blobs copied": 2 + 1 + 2 + 1,
    }
    assert house.used() == house.owed()


def test_what_is_there_already_is_skipped(house: House, written: WrittenTree) -> None:
    image = tiny_image("again", layers=3, layer_size=LARGE)
    written.push(NAME, image, "1", "2")
    first, second = run(house, written), run(house, written)
    assert sums(first)["blobs adopted"] == 3
    there = {"repositories": 1, "manifests present": 1, "tags present": 2, "blobs present": 4}
    assert sums(second) == there
    assert not second.broken
    assert house.states() == ["live"] * 3


def test_a_blob_of_several_repositories_is_read_once_and_served_by_each(house: House, written: WrittenTree) -> None:
    image, watching = tiny_image("shared", layer_size=LARGE), Watching()
    for name in ("a", "b/c", "d"):
        written.push(name, image, "1")
    report = run(house, written, watcher=watching)
    assert all(serves(house, name, image, ["1"]) for name in ("a", "b/c", "d"))
    assert sums(report)["blobs adopted"] == 1
    assert sums(report)["blobs present"] == 4
    assert house.states() == ["live"]
    assert house.used() == house.owed()


def test_a_watcher_hears_of_everything(house: House, written: WrittenTree) -> None:
    watching, bad = Watching(), tiny_image("bad")
    written.push("a", index(tiny_image("x"), tiny_image("y")), "1")
    written.push("b", bad)
    written.flip(bad.digest)
    run(house, written, watcher=watching)
    assert (watching.begun, watching.advanced, watching.done) == ((2, 4), 4, ["a", "b"])
    assert len(watching.read) == 4


def test_only_repositories_that_match_come_and_a_pattern_in_vain_is_told(house: House, written: WrittenTree) -> None:
    image = tiny_image("patterns")
    for name in ("team/app", "team/other", "away", "Odd"):
        written.push(name, image, "1")
    report = run(house, written, "team/*", "none/*")
    assert sums(report)["repositories"] == 2
    assert not serves(house, "away", image)
    assert reasons(report) == [("pattern", "none/*", "no repository matches it")]


def test_more_tags_than_one_push_carries_all_come(house: House, written: WrittenTree) -> None:
    image, tags = tiny_image("tags"), [f"v{number}" for number in range(150)]
    written.push(NAME, image, *tags)
    assert sums(run(house, written))["tags set"] == 150
    assert serves(house, NAME, image, tags)


def test_a_tag_that_pointed_elsewhere_is_moved_and_told(house: House, written: WrittenTree) -> None:
    former, now = tiny_image("former"), tiny_image("now")
    written.push(NAME, former, "1")
    run(house, written)
    written.push(NAME, now, "1")
    report = run(house, written)
    assert serves(house, NAME, now, ["1"])
    assert serves(house, NAME, former)
    told = [str(each) for each in report.moved]
    assert told == [f"tag {NAME} 1: moved from {former.digest} to {now.digest}"]


def test_a_damaged_blob_takes_its_manifests_and_their_tags_along_and_nothing_else(
    house: House, written: WrittenTree
) -> None:
    missing, cut, flipped, whole = (tiny_image(each, layer_size=LARGE) for each in ("m", "c", "f", "w"))
    for tag, image in {"missing": missing, "cut": cut, "flipped": flipped, "whole": whole}.items():
        written.push(NAME, image, tag)
    gone, short, other = (each.layers[0].digest for each in (missing, cut, flipped))
    written.data(gone).unlink()
    left = written.cut(short)
    written.flip(other)
    computed = digest_of(written.data(other).read_bytes())
    report = run(house, written)
    wanted = {
        ("blob", gone, "its data is missing"),
        ("blob", short, f"its data has {left} bytes instead of {cut.layers[0].size}"),
        ("blob", other, f"its data is {computed}"),
    }
    for tag, image in {"missing": missing, "cut": cut, "flipped": flipped}.items():
        wanted |= {
            ("manifest", image.digest, f"it needs {image.layers[0].digest}"),
            ("tag", tag, f"it points to {image.digest}, which is not imported"),
        }
    assert set(reasons(report)) == wanted
    assert len(report.broken) == len(wanted)
    assert serves(house, NAME, whole, ["whole"])
    # No session is left open, and what was begun for the two is on its way out.
    assert house.rows("SELECT count(*) FROM upload WHERE finished IS NULL") == [(0,)]
    assert sorted(house.states()) == ["doomed", "doomed", "live"]


def test_a_wrong_blob_is_read_once_and_told_of_in_each_repository(house: House, written: WrittenTree) -> None:
    image = tiny_image("wrong", layer_size=LARGE)
    for name in ("a", "b"):
        written.push(name, image)
    written.flip(image.layers[0].digest)
    report = run(house, written)
    told = [each.repository for each in report.broken if each.name == image.layers[0].digest]
    assert told == ["a", "b"]
    # What the one attempt to read it has left.
    assert house.states() == ["doomed"]


def test_a_blob_of_several_manifests_is_counted_and_told_of_once(house: House, written: WrittenTree) -> None:
    image = tiny_image("several", layers=2, layer_size=LARGE)
    other = artifact(None, *image.layers, config=image.config, annotations={"number": "2"})
    for each in (image, other):
        written.push(NAME, each)
    good, bad = (each.digest for each in image.layers)
    written.data(bad).unlink()
    report = run(house, written)
    assert [each.name for each in report.broken if each.what == "blob"] == [bad]
    assert sums(report) == {"repositories": 1, "blobs adopted": 1, "blobs copied": 1}
    assert house.serves(Digest.parse(good)) is not None


def test_an_index_without_one_of_its_children_does_not_come(house: House, written: WrittenTree) -> None:
    whole, gone = tiny_image("whole"), tiny_image("gone")
    made = index(whole, gone)
    written.push(NAME, made, "1")
    written.revision(NAME, gone.digest).unlink()
    report = run(house, written)
    assert serves(house, NAME, whole)
    assert reasons(report) == [
        ("manifest", made.digest, f"it needs {gone.digest}"),
        ("tag", "1", f"it points to {made.digest}, which is not imported"),
    ]


def test_a_blob_that_was_deleted_in_a_repository_does_not_come_back(house: House, written: WrittenTree) -> None:
    image = tiny_image("secret", layer_size=LARGE)
    written.push(NAME, image)
    layer = image.layers[0].digest
    written.layer(NAME, layer).unlink()
    assert reasons(run(house, written)) == [
        ("blob", layer, "it is not linked in this repository"),
        ("manifest", image.digest, f"it needs {layer}"),
    ]


def test_a_layer_whose_link_is_damaged_is_told_of_once(house: House, written: WrittenTree) -> None:
    image = tiny_image("link", layer_size=LARGE)
    written.push(NAME, image)
    layer = image.layers[0].digest
    written.layer(NAME, layer).write_bytes(b"")
    assert reasons(run(house, written)) == [
        ("blob", layer, "its link is empty"),
        ("manifest", image.digest, f"it needs {layer}"),
    ]


def test_a_layer_that_may_be_left_out_is_not_missed(house: House, written: WrittenTree) -> None:
    foreign = Blob(b"windows" * 1_000, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    image = tiny_image("foreign")
    both = artifact(None, *image.layers, foreign, config=image.config)
    written.push(NAME, both, "1")
    written.layer(NAME, foreign.digest).unlink()
    written.data(foreign.digest).unlink()
    report = run(house, written)
    assert not report.broken
    assert sums(report)["tags set"] == 1


def test_a_manifest_that_lies_about_a_size_comes_and_is_told(house: House, written: WrittenTree) -> None:
    honest = tiny_image("honest", layer_size=LARGE)
    layer = honest.layers[0]
    manifest = honest.manifest.replace(f'"size": {layer.size}'.encode(), b'"size": 7')
    assert manifest != honest.manifest
    lying = TinyImage(manifest, honest.media_type, honest.config, honest.layers)
    written.push(NAME, lying, "1")
    told = [("manifest", lying.digest, f"it says 7 bytes of {layer.digest}, which has {layer.size}")]
    assert reasons(run(house, written)) == told
    assert serves(house, NAME, lying, ["1"])
    # As much as on the first run.
    assert reasons(run(house, written)) == told


def test_an_object_that_was_lost_comes_again(house: House, written: WrittenTree) -> None:
    image = tiny_image("lost", layer_size=LARGE)
    written.push(NAME, image, "1")
    run(house, written)
    ((key,),) = house.rows("SELECT key FROM object WHERE state = 'live'")
    (house.folder / key).unlink()
    assert sums(run(house, written))["blobs adopted"] == 1
    assert serves(house, NAME, image, ["1"])


def test_a_link_whose_lease_nears_its_end_is_renewed_for_the_manifest_to_come(
    house: House, written: WrittenTree
) -> None:
    image = tiny_image("lease", layer_size=LARGE)
    written.push(NAME, image)
    for blob in image.blobs:
        house.push_blob(blob.data, RepositoryName(NAME), large=True)
    expired = house.rows("UPDATE link SET lease_until = 1 RETURNING digest")
    assert len(expired) == len(image.blobs)
    assert not run(house, written).broken
    assert house.rows("SELECT min(lease_until) > 1 FROM link") == [(1,)]


@pytest.mark.parametrize("wrong", [StorageFull, Unavailable])
def test_what_ails_our_own_side_ends_the_import(house: House, written: WrittenTree, wrong: type[RegistryError]) -> None:
    image = tiny_image("full", layer_size=LARGE)
    written.push(NAME, image)

    class Ailing(FolderAdopter):
        def adopt(self, *_: object) -> None:
            raise wrong

    with pytest.raises(wrong):
        run(house, written, adopter=Ailing(house.folder))
    assert house.rows("SELECT count(*) FROM upload WHERE finished IS NULL") == [(0,)]
    assert house.states() == ["doomed"]
    run(house, written)
    assert serves(house, NAME, image)
