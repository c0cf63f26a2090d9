"""`importing.rehearsal`: a dry run tells what an import would."""

from __future__ import annotations

from registry.importing.rehearsal import Rehearsal
from registry.importing.report import Report
from registry.importing.run import Import
from tests.support.images import Blob, artifact, index, tiny_image
from tests.unit.core.house import House
from tests.unit.importing.importing import LIMIT, Watching, reasons, run, sums
from tests.unit.importing.trees import WrittenTree

NAME = "team/app"


def rehearse(written: WrittenTree) -> Report:
    return Import(written.source, Rehearsal(), LIMIT, 2, Watching()).run()


def test_every_blob_is_verified_once_and_everything_is_counted(written: WrittenTree) -> None:
    image = tiny_image("rehearsed", layers=2, layer_size=10_000)
    written.push(NAME, index(image, tiny_image("other")), "1")
    written.push("copy", image, "1")
    written.push_blob(NAME, Blob(b"stray"))
    before = written.state()
    assert sums(rehearse(written)) == {
        "repositories": 2,
        "manifests imported": 4,
        "tags set": 2,
        "blobs verified": 5,
        "blobs present": 3,
        "unreferenced_layers": 1,
    }
    assert written.state() == before


def test_what_is_broken_is_told_as_the_import_tells_it(house: House, written: WrittenTree) -> None:
    missing, cut, flipped, gone = (tiny_image(each, layer_size=10_000) for each in ("m", "c", "f", "g"))
    for image in (missing, cut, flipped, index(gone, tiny_image("there"))):
        written.push(NAME, image, image.digest[7:15])
    written.push(NAME, artifact(subject=gone))
    written.data(missing.layers[0].digest).unlink()
    written.cut(cut.layers[0].digest)
    written.flip(flipped.config.digest)
    written.revision(NAME, gone.digest).unlink()
    rehearsed = reasons(rehearse(written))
    assert len(rehearsed) == 3 * 3 + 2
    assert rehearsed == reasons(run(house, written))
