"""`importing.tree`: what a walk finds, and what it calls broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from registry.importing.folder import Folder, find_tree
from registry.importing.report import Broken, What
from registry.importing.source import Unreadable
from registry.importing.tree import DistributionTree
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.support.images import tiny_image
from tests.unit.importing.trees import WrittenTree

APP = RepositoryName("team/app")
IMAGE = tiny_image("tree")
DIGEST = Digest.parse(IMAGE.digest)
LAYER = Digest.parse(IMAGE.layers[0].digest)


def broken(written: WrittenTree) -> list[tuple[What, str, str]]:
    """What is wrong with the links of `APP`."""
    walks = [*written.tree.revisions(APP), *written.tree.tags(APP), *written.tree.layers(APP)]
    return [(each.what, each.name, each.reason) for each in walks if isinstance(each, Broken)]


def test_repositories_are_found_at_every_depth_in_the_order_of_their_names(written: WrittenTree) -> None:
    for name in ("b", "a/c/d", "a", "a/b"):
        written.push(name, IMAGE)
    assert list(written.tree.repositories()) == [RepositoryName(name) for name in ("a", "a/b", "a/c/d", "b")]


def test_a_folder_that_only_leads_to_repositories_is_none(written: WrittenTree) -> None:
    written.push("a/b", IMAGE)
    assert list(written.tree.repositories()) == [RepositoryName("a/b")]


def test_an_upload_under_way_makes_no_repository(written: WrittenTree) -> None:
    (written.v2 / "repositories/a/_uploads/0c17d1d2").mkdir(parents=True)
    assert not list(written.tree.repositories())


@pytest.mark.parametrize("name", ["Upper", "a/-b", "a b", "x" * 200 + "/" + "y" * 54 + "_", os.fsdecode(b"\xff")])
def test_a_repository_of_an_impossible_name_is_broken(written: WrittenTree, name: str) -> None:
    written.push(name, IMAGE)
    assert list(written.tree.repositories()) == [Broken(What.REPOSITORY, name, "", "not a repository name")]


def test_folders_tied_into_a_circle_come_to_an_end(written: WrittenTree) -> None:
    written.push("a", IMAGE)
    (written.v2 / "repositories/a/round").symlink_to(written.v2 / "repositories/a")
    found = list(written.tree.repositories())
    assert found[:2] == [RepositoryName("a"), RepositoryName("a/round")]
    assert isinstance(found[-1], Broken)
    assert found[-1].reason == "cannot be read: too many levels of symbolic links"


def test_every_link_is_found(written: WrittenTree) -> None:
    written.push("team/app", IMAGE, "1", "latest")
    tree = written.tree
    assert list(tree.revisions(APP)) == [DIGEST]
    assert set(tree.layers(APP)) == {Digest.parse(each.digest) for each in IMAGE.blobs}
    assert list(tree.tags(APP)) == [(Tag("1"), DIGEST), (Tag("latest"), DIGEST)]
    assert tree.has_layer(APP, LAYER)
    assert not tree.has_layer(RepositoryName("other"), LAYER)
    assert tree.revision_count(APP) == 1


def test_what_was_deleted_is_not_there_and_not_broken(written: WrittenTree) -> None:
    written.push("team/app", IMAGE)
    written.revision("team/app", IMAGE.digest).unlink()
    written.layer("team/app", str(LAYER)).unlink()
    assert not list(written.tree.revisions(APP))
    assert LAYER not in set(written.tree.layers(APP))
    assert not written.tree.has_layer(APP, LAYER)
    assert not broken(written)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its link is empty"),
        (b"sha256:1234", "its link holds no digest"),
        (b"\x00" * 71, "its link holds no digest"),
        (b"\xff\xfe", "its link holds no digest"),
        (b"x" * 300, "it has 300 bytes, and 256 are the most"),
        (b"sha256:" + b"0" * 64, f"its link says sha256:{'0' * 64}"),
    ],
)
def test_a_link_that_does_not_say_where_it_lies_is_broken(written: WrittenTree, content: bytes, reason: str) -> None:
    written.push("team/app", IMAGE)
    written.revision("team/app", IMAGE.digest).write_bytes(content)
    written.layer("team/app", str(LAYER)).write_bytes(content)
    assert broken(written) == [(What.MANIFEST, IMAGE.digest, reason), (What.BLOB, str(LAYER), reason)]
    with pytest.raises(Unreadable, match=reason):
        written.tree.has_layer(APP, LAYER)


def test_a_link_that_is_no_file_is_broken(written: WrittenTree) -> None:
    written.push("team/app", IMAGE)
    written.revision("team/app", IMAGE.digest).unlink()
    written.revision("team/app", IMAGE.digest).mkdir()
    assert broken(written) == [(What.MANIFEST, IMAGE.digest, "not a regular file")]


def test_a_file_where_a_folder_should_be_is_broken_and_a_hidden_one_is_none(written: WrittenTree) -> None:
    written.push("team/app", IMAGE, "1")
    repositories = written.v2 / "repositories"
    for place in ("other", ".DS_Store", "team/app/_manifests/tags/2", "team/app/_manifests/revisions/sha512"):
        written.write(repositories / place, b"")
    reason = "cannot be read: not a directory"
    assert list(written.tree.repositories()) == [Broken(What.REPOSITORY, "other", "", reason), APP]
    assert broken(written) == [(What.REPOSITORY, "", f"its manifests, sha512: {reason}"), (What.TAG, "2", reason)]
    assert DIGEST in set(written.tree.revisions(APP))


@pytest.mark.parametrize("text", ["sha256/xyz", "sha256/" + "A" * 64, "md5/" + "0" * 32])
def test_a_folder_that_is_no_digest_is_broken(written: WrittenTree, text: str) -> None:
    written.write(written.v2 / "repositories/team/app/_manifests/revisions" / text / "link", b"")
    assert broken(written) == [(What.MANIFEST, text.replace("/", ":"), "not a digest")]


def test_a_tag_needs_a_proper_name_and_a_current_link(written: WrittenTree) -> None:
    written.push("team/app", IMAGE, "-no", "gone", "empty", "good")
    written.tag("team/app", "gone").unlink()
    written.tag("team/app", "empty").write_bytes(b"")
    assert broken(written) == [
        (What.TAG, "-no", "not a tag"),
        (What.TAG, "empty", "its link is empty"),
        (What.TAG, "gone", "it has no current link"),
    ]


def test_data_that_is_missing_is_none_and_a_pipe_in_its_place_keeps_nobody_waiting(written: WrittenTree) -> None:
    assert written.tree.blob(LAYER) is None
    assert written.tree.manifest(LAYER, 10) is None
    path = written.data(str(LAYER))
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(Unreadable, match="not a regular file"):
        written.tree.blob(LAYER)


def test_a_file_that_is_written_to_while_it_is_read_is_refused(written: WrittenTree) -> None:
    written.write_data(str(LAYER), b"x" * 3_000_000)
    file = written.tree.blob(LAYER)
    assert file is not None
    with file:
        chunks = file.chunks()
        assert next(chunks) == b"x" * 1_048_576
        with written.data(str(LAYER)).open("ab") as same:
            same.write(b"more")
        with pytest.raises(Unreadable, match="changed while it was read"):
            list(chunks)


def test_what_the_disk_refuses_is_a_reason(written: WrittenTree) -> None:
    # Longer than any name can be: the one refusal that also root gets.
    with pytest.raises(Unreadable, match="cannot be read: file name too long"):
        Folder(written.v2).open("x" * 300)
    with pytest.raises(Unreadable, match="cannot be read: file name too long"):
        Folder(written.v2).names("x" * 300)


def test_a_tree_is_found_from_its_root_and_from_itself(written: WrittenTree, place: Path) -> None:
    assert find_tree(written.root) == find_tree(written.v2) == written.v2
    assert find_tree(place) is None
    assert DistributionTree(Folder(place)).revision_count(APP) == 0
