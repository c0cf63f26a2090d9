"""`registry.core.fsck`: what is judged from what was seen, and what is planned for it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from registry.core.facts import ContentKind, ObjectKey
from registry.core.fsck import (
    REMEDIES,
    Allowed,
    Finding,
    Outcome,
    Remedy,
    What,
    judge_bytes,
    judge_content,
    judge_damaged,
    judge_held,
    judge_lack,
    judge_miscount,
    judge_row,
    judge_usage,
    plan,
)
from registry.core.fsck_facts import (
    ContentRow,
    Held,
    HeldKind,
    Lack,
    Miscount,
    ObjectRow,
    ObjectState,
    Places,
    ProjectUsage,
)
from registry.core.fsck_report import MOST_TOLD, Report
from registry.core.fsck_run import Seen
from registry.oci.digest import Digest
from registry.oci.media_types import OCI_MANIFEST
from tests.unit.core.house import CONFIG, descriptor, image

KEY, OWNER = ObjectKey("blobs/ab/ab"), ObjectKey("uploads/ab/")
BYTES = b"bytes"
DIGEST = Digest.of(BYTES)
THEN = datetime(2026, 1, 1, tzinfo=UTC)
LIVE = ObjectRow(1, KEY, ObjectState.LIVE, DIGEST, len(BYTES))
OBJECT = Held(HeldKind.OBJECT, KEY.text, 5, THEN, KEY, KEY)
TAIL = Held(HeldKind.TAIL, "uploads/ab/1", 5, THEN, KEY, OWNER)
MULTIPART = Held(HeldKind.MULTIPART, KEY.text, 0, THEN, KEY, KEY, "an id")
FOREIGN = Held(HeldKind.FOREIGN, "blobs/notes", 5, THEN)


def row(state: str, *, digest: bool = False, upload: bool = False) -> ObjectRow:
    return replace(LIVE, state=ObjectState(state), digest=DIGEST if digest else None, upload=7 if upload else None)


def kinds(findings: list[Finding]) -> list[What]:
    return [finding.what for finding in findings]


@pytest.mark.parametrize(
    ("state", "digest", "upload", "wrong"),
    [
        ("receiving", False, True, []),
        ("live", True, False, []),
        ("doomed", False, False, []),
        ("receiving", False, False, [What.OBJECT_UNNAMED]),
        ("receiving", True, False, [What.BLOB_NOT_LIVE]),
        ("receiving", True, True, [What.BLOB_NOT_LIVE]),
        ("live", False, False, [What.OBJECT_UNNAMED]),
        ("live", False, True, [What.SESSION_ASTRAY, What.OBJECT_UNNAMED]),
        ("live", True, True, [What.SESSION_ASTRAY]),
        ("doomed", True, False, [What.BLOB_NOT_LIVE]),
        ("doomed", False, True, [What.SESSION_ASTRAY]),
        ("doomed", True, True, [What.SESSION_ASTRAY, What.BLOB_NOT_LIVE]),
    ],
)
def test_every_state_of_an_object_has_those_who_may_name_it(
    state: str, digest: bool, upload: bool, wrong: list[What]
) -> None:
    assert kinds(judge_row(row(state, digest=digest, upload=upload))) == wrong


@pytest.mark.parametrize(
    ("size", "computed", "wrong"),
    [
        (5, None, None),
        (5, DIGEST, None),
        (None, None, What.OBJECT_MISSING),
        (4, None, What.OBJECT_SIZE),
        (0, None, What.OBJECT_SIZE),
        (5, Digest.of(b"other"), What.OBJECT_BYTES),
    ],
)
def test_an_object_is_there_with_its_size_and_its_bytes(
    size: int | None, computed: Digest | None, wrong: What | None
) -> None:
    found = judge_bytes(LIVE, size, computed)
    assert (found and found.what) == wrong
    if found is not None:
        assert found.name == str(DIGEST)


def test_of_a_damaged_blob_is_said_whether_its_object_could_be_whole() -> None:
    assert "as many bytes as it should" in judge_damaged(LIVE, 5).reason
    assert "is missing; push it again" in judge_damaged(LIVE, None).reason
    assert "has 4 bytes instead of 5; push it again" in judge_damaged(LIVE, 4).reason


def test_bytes_in_sql_are_what_their_digest_says() -> None:
    whole = ContentRow(1, DIGEST, BYTES, is_blob=True, is_damaged=False)
    assert judge_content(whole) is None
    found = [judge_content(replace(whole, content=b"?")), judge_content(replace(whole, is_damaged=True))]
    assert [each and each.what for each in found] == [What.CONTENT_BYTES, What.BLOB_DAMAGED]


RECEIVING, DOOMED = row("receiving", upload=True), row("doomed")


@pytest.mark.parametrize(
    ("held", "rows", "wrong"),
    [
        (OBJECT, [], What.UNKNOWN_OBJECT),
        (OBJECT, [RECEIVING], None),
        (OBJECT, [LIVE], None),
        (OBJECT, [DOOMED], None),
        (TAIL, [], What.UNKNOWN_TAIL),
        (TAIL, [LIVE], What.UNKNOWN_TAIL),
        (TAIL, [RECEIVING], None),
        (TAIL, [DOOMED], None),
        (TAIL, [replace(DOOMED, key=OWNER)], None),
        (TAIL, [LIVE, replace(DOOMED, key=OWNER)], None),
        (MULTIPART, [], What.UNKNOWN_MULTIPART),
        (MULTIPART, [LIVE], What.UNKNOWN_MULTIPART),
        (MULTIPART, [DOOMED], None),
        (FOREIGN, [], What.FOREIGN),
    ],
)
def test_what_a_store_holds_is_somebody_s_or_unknown(held: Held, rows: list[ObjectRow], wrong: What | None) -> None:
    found = judge_held(held, {each.key: each for each in rows}, lambda *_: True)
    assert (found and found.what) == wrong


@pytest.mark.parametrize("is_needed", [True, False])
def test_a_session_says_which_multipart_upload_it_needs(is_needed: bool) -> None:
    asked = []

    def needs(held: Held, stored: str) -> bool:
        asked.append((held, stored))
        return is_needed

    found = judge_held(MULTIPART, {KEY: replace(RECEIVING, stored="a note")}, needs)
    assert (found is None) is is_needed
    assert asked == [(MULTIPART, "a note")]


def test_a_manifest_need_not_have_what_is_distributed_elsewhere() -> None:
    lack = Lack("team/app", DIGEST, OCI_MANIFEST, Digest.of(b"layer"))
    document: dict[str, Any] = json.loads(image())
    assert judge_lack(lack, image(b"layer")) is not None
    elsewhere = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    document["layers"] = [descriptor(b"layer", elsewhere)]
    assert judge_lack(lack, json.dumps(document).encode()) is None
    assert judge_lack(replace(lack, part=Digest.of(CONFIG)), json.dumps(document).encode()) is not None
    # What cannot be read is not taken for an excuse.
    assert judge_lack(lack, b"?") is not None


def test_usage_is_judged_by_its_sums() -> None:
    assert judge_usage(ProjectUsage(1, "team", 5, 5)) is None
    found = judge_usage(ProjectUsage(1, "team", 5, 6))
    assert found is not None
    assert (found.what, found.name, found.reason) == (
        What.USED,
        "team",
        "its counter says 5 bytes, and it is charged 6",
    )
    miscount = judge_miscount(ProjectUsage(1, "team", 5, 5), Miscount(ContentKind.BLOB, DIGEST, 2, 1, 5, 5))
    assert miscount.reason == f"blob {DIGEST} is charged for 2 links and 5 bytes, and has 1 links and 5 bytes"


@pytest.mark.parametrize("what", What)
def test_everything_that_can_be_wrong_has_its_row(what: What) -> None:
    assert set(REMEDIES) == set(What)
    finding = Finding(what, "", "", OBJECT)
    assert plan(finding, Allowed()) is None
    everything = Allowed(repair=True, adopt=True, delete=True)
    assert (plan(finding, everything) is None) == (what in {What.FOREIGN, What.MANIFEST_PARTS})


def test_nothing_is_deleted_by_who_may_only_repair_or_adopt() -> None:
    planned = {plan(Finding(what, "", "", OBJECT), Allowed(repair=True, adopt=True)) for what in What}
    assert not planned & {Remedy.OWN, Remedy.ABORT}
    unknown = Finding(What.UNKNOWN_OBJECT, "", "", OBJECT)
    assert plan(unknown, Allowed(delete=True)) is Remedy.OWN
    assert plan(unknown, Allowed(adopt=True, delete=True)) is Remedy.ADOPT


def test_a_report_counts_everything_and_tells_what_fits() -> None:
    report = Report()
    for number in range(MOST_TOLD + 5):
        report.finds(Finding(What.FOREIGN, str(number), "", FOREIGN), Outcome.LEFT)
    report.finds(Finding(What.USED, "team", "why", FOREIGN, Places(("a",), ("a:1",))), Outcome.REPAIRED)
    assert (len(report.found), report.untold, report.left) == (MOST_TOLD + 1, 5, MOST_TOLD + 5)
    document = json.loads(json.dumps(report.document()))
    assert document["counts"] == [
        {"what": "foreign", "outcome": "left", "count": MOST_TOLD + 5},
        {"what": "used", "outcome": "repaired", "count": 1},
    ]
    assert document["found"][-1] == {
        "what": "used",
        "name": "team",
        "reason": "why",
        "outcome": "repaired",
        "repositories": ["a"],
        "tags": ["a:1"],
        "more_places": False,
    }


def test_what_is_marked_is_left() -> None:
    report = Report()
    report.finds(Finding(What.OBJECT_MISSING, "", "", LIVE), Outcome.MARKED)
    assert report.left == 1


def test_what_was_seen_costs_a_bit() -> None:
    seen, numbers = Seen(), {0, 7, 8, 1000, 80_000}
    for number in numbers:
        seen.add(number)
    assert {number for number in range(80_100) if number in seen} == numbers
    assert len(seen.bits) == 10_001
