"""What a soak is sure of: enough to catch a registry that loses something, never more than it was told."""

import pytest

from tests.soak.ledger import ABSENT, Answer, Kind, Ledger, Name
from tests.soak.promises import Promise, broken

IMAGE, OTHER = "sha256:image", "sha256:other"
MANIFEST, SECOND = Name(Kind.MANIFEST, "app", IMAGE), Name(Kind.MANIFEST, "app", OTHER)
TAG = Name(Kind.TAG, "app", "latest")
BLOB = Name(Kind.BLOB, "app", "sha256:layer")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def push(ledger: Ledger, answer: Answer = Answer.DONE, digest: str = IMAGE) -> None:
    ledger.end(ledger.begin({Name(Kind.MANIFEST, "app", digest): digest, TAG: digest}), answer)


def delete(ledger: Ledger, answer: Answer = Answer.DONE) -> None:
    ledger.end(ledger.begin_deleting(MANIFEST), answer)


def test_what_was_pushed_alone_is_there(ledger: Ledger) -> None:
    push(ledger)
    assert ledger.look(MANIFEST).has(IMAGE)
    assert ledger.look(TAG).has(IMAGE)
    assert ledger.living(Kind.TAG, "app") == [TAG]


def test_nothing_is_sure_while_it_is_changed(ledger: Ledger) -> None:
    change = ledger.begin({MANIFEST: IMAGE})
    assert not ledger.look(MANIFEST).has(IMAGE)
    assert not ledger.look(MANIFEST).has(ABSENT)
    ledger.end(change, Answer.DONE)
    assert ledger.look(MANIFEST).has(IMAGE)


def test_a_look_stands_until_somebody_begins_to_change_what_it_saw(ledger: Ledger) -> None:
    push(ledger)
    look = ledger.look(MANIFEST)
    assert ledger.stands(look)
    ledger.begin_deleting(MANIFEST)
    assert not ledger.stands(look)


def test_what_was_refused_is_as_it_was(ledger: Ledger) -> None:
    push(ledger)
    delete(ledger, Answer.REFUSED)
    assert ledger.look(MANIFEST).has(IMAGE)
    assert ledger.look(TAG).has(IMAGE)


def test_a_manifest_takes_the_tags_along_that_point_to_it(ledger: Ledger) -> None:
    push(ledger)
    delete(ledger)
    assert ledger.look(MANIFEST).has(ABSENT)
    assert ledger.look(TAG).has(ABSENT)
    assert ledger.living(Kind.MANIFEST, "app") == []


def test_a_manifest_takes_no_tag_along_that_points_elsewhere(ledger: Ledger) -> None:
    push(ledger)
    push(ledger, digest=OTHER)
    delete(ledger)
    assert ledger.look(TAG).has(OTHER)


def test_of_changes_that_overlap_either_may_have_been_the_last(ledger: Ledger) -> None:
    first, second = ledger.begin({TAG: IMAGE}), ledger.begin({TAG: OTHER})
    ledger.end(first, Answer.DONE)
    ledger.end(second, Answer.DONE)
    assert ledger.look(TAG).possible == {IMAGE, OTHER, ABSENT}
    push(ledger)
    assert ledger.look(TAG).has(IMAGE)


def test_a_tag_may_have_gone_with_a_manifest_that_was_deleted_meanwhile(ledger: Ledger) -> None:
    push(ledger)
    deletion = ledger.begin_deleting(MANIFEST)
    push(ledger)
    ledger.end(deletion, Answer.DONE)
    assert not ledger.look(TAG).has(IMAGE)
    ledger.end(ledger.begin({MANIFEST: IMAGE}), Answer.DONE)
    assert ledger.look(MANIFEST).has(IMAGE)
    assert not ledger.look(TAG).has(IMAGE)


def test_a_change_whose_answer_never_came_goes_on_for_good(ledger: Ledger) -> None:
    push(ledger, Answer.UNKNOWN)
    push(ledger)
    assert ledger.look(MANIFEST).possible == {IMAGE, ABSENT}
    assert not ledger.look(MANIFEST).is_quiet


def test_a_repository_takes_everything_along(ledger: Ledger) -> None:
    push(ledger)
    looks = ledger.look(MANIFEST), ledger.look(BLOB)
    ledger.end(ledger.begin_deleting_all("app"), Answer.DONE)
    assert ledger.look(MANIFEST).has(ABSENT)
    assert ledger.look(TAG).has(ABSENT)
    assert not any(ledger.stands(look) for look in looks)
    push(ledger)
    assert ledger.look(TAG).has(IMAGE)


def test_what_was_pushed_into_a_repository_while_that_was_deleted_may_be_gone(ledger: Ledger) -> None:
    first, second = ledger.begin_deleting_all("app"), ledger.begin({MANIFEST: IMAGE})
    ledger.end(first, Answer.DONE)
    ledger.end(second, Answer.DONE)
    assert ledger.look(MANIFEST).possible == {IMAGE, ABSENT}


def test_what_was_being_pushed_when_its_repository_was_deleted_may_be_gone(ledger: Ledger) -> None:
    first, second = ledger.begin({MANIFEST: IMAGE}), ledger.begin_deleting_all("app")
    ledger.end(second, Answer.DONE)
    ledger.end(first, Answer.DONE)
    assert ledger.look(MANIFEST).possible == {IMAGE, ABSENT}


def test_nothing_is_sure_of_what_is_attached_to_something_deleted(ledger: Ledger) -> None:
    ledger.attach(SECOND, MANIFEST)
    push(ledger)
    push(ledger, digest=OTHER)
    look = ledger.look(SECOND)
    assert look.has(OTHER)
    delete(ledger)
    assert not ledger.stands(look)
    assert ledger.referrers(MANIFEST) == [SECOND]


def test_a_part_that_was_promised_must_be_there_within_its_lease(ledger: Ledger) -> None:
    promises = {BLOB.text: Promise.leased(ledger.look(BLOB), asked=100, lease=10)}
    assert broken(ledger, promises, [BLOB.text], answered=109) == [BLOB.text]
    assert broken(ledger, promises, [BLOB.text], answered=110) == []
    assert broken(ledger, promises, ["sha256:another"], answered=109) == []


def test_an_answer_that_it_exists_promises_half_a_lease(ledger: Ledger) -> None:
    promises = {BLOB.text: Promise.renewed(ledger.look(BLOB), asked=100, lease=10)}
    assert broken(ledger, promises, [BLOB.text], answered=104) == [BLOB.text]
    assert broken(ledger, promises, [BLOB.text], answered=106) == []


def test_a_part_that_somebody_deletes_by_name_was_promised_to_nobody(ledger: Ledger) -> None:
    promises = {BLOB.text: Promise.leased(ledger.look(BLOB), asked=100, lease=10)}
    ledger.begin({BLOB: ABSENT})
    assert broken(ledger, promises, [BLOB.text], answered=101) == []
