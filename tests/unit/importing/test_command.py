"""`registry.cli_import`: what the person who imports reads, and what a program does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.cli_import import BROKEN, import_command
from registry.core.sizes import in_words
from registry.importing.adopt import FolderAdopter
from registry.importing.report import Broken, Report, Taken, What
from registry.oci.errors import StorageFull
from tests.support.images import tiny_image
from tests.unit.importing.trees import WrittenTree


def entrepot_import(written: WrittenTree, *arguments: str) -> Result:
    data = written.root.parent / "data"
    given = ["--from-distribution", str(written.root), "--data", str(data), *arguments]
    return CliRunner(env={"REGISTRY_ADMIN_PASSWORD": "correct horse"}).invoke(import_command, given)


def test_a_whole_tree_ends_with_0_and_a_broken_one_with_3(written: WrittenTree) -> None:
    image = tiny_image("status", layer_size=10_000)
    written.push("team/app", image, "1")
    assert entrepot_import(written).exit_code == 0
    written.data(image.digest).unlink()
    assert entrepot_import(written, "--dry-run").exit_code == BROKEN == 3


def test_the_report_ends_with_the_sums(written: WrittenTree) -> None:
    image = tiny_image("sums", layer_size=10_000)
    written.push("team/app", image, "1", "2")
    first, second = entrepot_import(written), entrepot_import(written)
    config, layer = image.config.size, image.layers[0].size
    assert first.stdout.splitlines() == [
        "repositories: 1",
        "manifests: 1, and 0 already there",
        "tags: 2, 0 of them moved, and 0 already there",
        f"blobs: 1 adopted ({in_words(layer)}), 1 copied ({config} bytes), and 0 already there",
        "layers that no manifest references, not imported: 0",
        "nothing is broken",
    ]
    assert second.stdout.splitlines()[1:4] == [
        "manifests: 0, and 1 already there",
        "tags: 0, 0 of them moved, and 2 already there",
        "blobs: 0 adopted (0 bytes), 0 copied (0 bytes), and 2 already there",
    ]


def test_each_repository_has_its_line_where_there_is_no_terminal(written: WrittenTree) -> None:
    image, bad = tiny_image("lines"), tiny_image("bad")
    written.push("a", image, "1")
    written.push("b", bad, "1")
    written.data(bad.digest).unlink()
    size = in_words(sum(each.size for each in image.blobs))
    first, second = entrepot_import(written), entrepot_import(written)
    assert first.stderr.splitlines() == [
        "to import: repositories 2, manifests 2",
        f"a: manifests 1, tags 1, {size} of blobs",
        "b: manifests 0, tags 0, 0 bytes of blobs, broken 2",
    ]
    assert second.stderr.splitlines()[1] == "a: manifests 0, tags 0, 0 bytes of blobs, manifests already there 1"


def test_json_holds_what_people_read(written: WrittenTree) -> None:
    image = tiny_image("json", layer_size=10_000)
    written.push("team/app", image, "1")
    written.write(written.tag("team/app", "gone"), b"")
    document = json.loads(entrepot_import(written, "--json").stdout)
    assert document == {
        "dry_run": False,
        "repositories": 1,
        "manifests": {"imported": 1, "present": 0},
        "tags": {"set": 1, "present": 0},
        "blobs": {"adopted": 1, "copied": 1, "present": 0, "verified": 0},
        "bytes": {"adopted": image.layers[0].size, "copied": image.config.size, "present": 0, "verified": 0},
        "unreferenced_layers": 0,
        "moved": [],
        "broken": [{"what": "tag", "repository": "team/app", "name": "gone", "reason": "its link is empty"}],
    }


def test_only_the_repositories_that_were_asked_for_come(written: WrittenTree) -> None:
    for name in ("a", "b", "c/d"):
        written.push(name, tiny_image("patterns"), "1")
    document = json.loads(entrepot_import(written, "--repository", "a", "--repository", "c/*", "--json").stdout)
    assert document["repositories"] == 2


def test_a_first_start_shows_its_password_once_and_not_in_the_report(written: WrittenTree) -> None:
    given = ["--from-distribution", str(written.root), "--data", str(written.root.parent / "fresh"), "--json"]
    first, second = (CliRunner().invoke(import_command, given) for _ in range(2))
    assert "user admin, password " in first.stderr
    assert "password" not in first.stdout + second.output


def test_what_an_operator_can_repair_is_a_line(written: WrittenTree, place: Path) -> None:
    (place / "data").write_text("a file")
    refused = entrepot_import(written)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: ")
    assert CliRunner().invoke(import_command, ["--from-distribution", str(place / "none")]).exit_code == 2
    wrong = CliRunner().invoke(
        import_command, ["--from-distribution", str(place), "--config", str(place / "none.toml")]
    )
    assert wrong.exit_code == 2


def test_want_of_room_ends_it_with_a_line(written: WrittenTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StorageFull

    written.push("team/app", tiny_image("full", layer_size=10_000), "1")
    monkeypatch.setattr(FolderAdopter, "adopt", refuse)
    refused = entrepot_import(written)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1] == f"error: {written.root.parent / 'data'}: {StorageFull.message}"


def test_a_name_that_a_terminal_would_obey_is_shown_harmless() -> None:
    told = str(Broken(What.REPOSITORY, "red\x1b[31m", "", "not a repository name\udcff"))
    assert told == "repository 'red\\x1b[31m': 'not a repository name\\udcff'"


def test_reports_add_up() -> None:
    one, two = Report(repositories=1, tags=2), Report(repositories=1, broken=[Broken(What.TAG, "a", "b", "c")])
    one.took(Taken.COPIED, 5)
    two.took(Taken.COPIED, 7)
    one.add(two)
    assert (one.repositories, one.tags, one.blobs[Taken.COPIED], one.bytes[Taken.COPIED]) == (2, 2, 2, 12)
    assert len(one.broken) == 1


def test_help_loads_nothing_that_imports() -> None:
    program = "import sys, registry.cli_import; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"sqlalchemy", "registry.app", "registry.storage", "registry.importing"}
