"""What every database promises of uploads where bytes are limited: there is room for them, and none is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.core.ports import Metadata, Transaction
from registry.core.quota import STEP, Resource
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, UploadTakenOver
from registry.storage.memory import MemoryStore
from tests.contracts.limited import Limited, expire_all, refusal
from tests.contracts.test_collecting import APP, OTHER

BODY = b"b" * 10_000


@pytest.fixture
def registry(metadata: Metadata) -> Limited:
    return Limited(metadata)


class TestReserving:
    def test_a_known_length_is_reserved_whole_or_refused_before_a_byte(self, registry: Limited) -> None:
        registry.limit(15_000)
        first = registry.begin()
        reception = registry.receive(first, len(BODY))
        assert registry.used() == {"team": 10_000}
        second = registry.begin()
        refused = refusal(lambda: registry.receive(second, 5_001))
        assert (refused.detail["used"], refused.detail["needed"]) == (10_000, 5_001)
        assert registry.is_over(second)
        registry.receive(registry.begin(), 5_000)
        reception.append([BODY])
        reception.commit(Digest.of(BODY), registry.admin)
        assert registry.used() == {"team": 15_000}
        registry.check()

    def test_chunks_reserve_as_far_as_each_ends(self, registry: Limited) -> None:
        registry.limit(25_000)
        uuid = registry.begin()
        for sent in (10_000, 20_000):
            reception = registry.receive(uuid, len(BODY))
            reception.append([BODY])
            reception.acknowledge()
            reception.close()
            assert registry.used() == {"team": sent}
        registry.uploads.close_begun(APP, uuid, registry.admin, Digest.of(2 * BODY), b"")
        assert registry.used() == {"team": 20_000}
        registry.check()

    def test_a_blob_that_the_project_has_is_reserved_nothing(self, registry: Limited) -> None:
        registry.push_blob(BODY)
        registry.limit(len(BODY))
        uuid = registry.begin(OTHER)
        reception = registry.receive(uuid, len(BODY), Digest.of(BODY), OTHER)
        reception.append([BODY])
        reception.commit(Digest.of(BODY), registry.admin)
        assert registry.used() == {"team": len(BODY)}
        assert registry.serves(Digest.of(BODY), OTHER)
        registry.check()

    def test_what_claims_to_be_a_blob_of_the_project_and_is_not_is_charged(self, registry: Limited) -> None:
        registry.push_blob(BODY)
        registry.limit(len(BODY))
        uuid, other = registry.begin(), b"o" * len(BODY)
        reception = registry.receive(uuid, len(BODY), Digest.of(BODY))
        reception.append([other])
        with pytest.raises(DigestInvalid):
            reception.commit(Digest.of(BODY), registry.admin)
        refusal(lambda: registry.receive(uuid, len(BODY), Digest.of(other)))
        registry.check()

    def test_a_session_does_not_lose_what_it_had_reserved_by_claiming_a_blob_of_the_project(
        self, registry: Limited
    ) -> None:
        registry.push_blob(BODY)
        registry.limit(2 * len(BODY))
        uuid = registry.begin()
        reception = registry.receive(uuid, len(BODY))
        reception.append([b"o" * len(BODY)])
        reception.acknowledge()
        reception.close()
        with pytest.raises(DigestInvalid):
            registry.uploads.close_begun(APP, uuid, registry.admin, Digest.of(BODY), b"")
        assert not registry.is_over(uuid)
        assert registry.used() == {"team": 2 * len(BODY)}

    def test_what_claims_to_be_a_blob_of_the_project_and_is_too_long_is_refused(self, registry: Limited) -> None:
        registry.push_blob(BODY)
        registry.limit(len(BODY))
        refusal(lambda: registry.receive(registry.begin(), len(BODY) + 1, Digest.of(BODY)))
        uuid = registry.begin()
        reception = registry.receive(uuid, len(BODY), Digest.of(BODY))
        reception.append([BODY])
        refusal(lambda: reception.append([b"x"]))
        assert registry.is_over(uuid)

    def test_what_claims_to_be_a_blob_of_the_project_is_reserved_when_it_is_kept(self, registry: Limited) -> None:
        registry.push_blob(BODY)
        for room in (len(BODY) // 2, 0):
            registry.limit(len(BODY) + room)
            uuid = registry.begin()
            reception = registry.receive(uuid, len(BODY), Digest.of(BODY))
            reception.append([b"o" * (len(BODY) // 2)])
            if room:
                reception.acknowledge()
                assert registry.used() == {"team": len(BODY) + room}
                registry.uploads.cancel(APP, uuid, registry.admin)
            else:
                refusal(reception.acknowledge)
                assert registry.is_over(uuid)
        registry.check()

    @pytest.mark.parametrize("length", [(1 << 63) - 1, (1 << 64) - 1])
    def test_a_length_beyond_all_numbers_is_refused_like_another(self, registry: Limited, length: int) -> None:
        registry.push_blob(BODY)
        registry.limit(1 << 60)
        refusal(lambda: registry.receive(registry.begin(), length))
        refusal(lambda: registry.receive(registry.begin(), length, Digest.of(BODY)))
        registry.check()

    def test_an_unknown_length_is_reserved_step_by_step(self, registry: Limited) -> None:
        registry.limit(STEP + 2_000_000)
        reception = registry.receive(registry.begin())
        assert registry.used() == {"team": STEP}
        for _ in range(STEP // 1_000_000 + 1):
            reception.append([bytes(1_000_000)])
        assert registry.used() == {"team": STEP + 2_000_000}

    def test_an_unknown_length_takes_what_room_there_is_and_is_refused_in_its_midst(self, registry: Limited) -> None:
        registry.limit(15_000)
        uuid = registry.begin()
        reception = registry.receive(uuid)
        assert registry.used() == {"team": 15_000}
        reception.append([BODY])
        refused = refusal(lambda: reception.append([BODY]))
        assert (refused.detail["used"], refused.detail["needed"]) == (15_000, 5_000)
        assert registry.is_over(uuid)
        assert registry.used() == {"team": 0}
        assert len(registry.doomed()) == 1
        registry.check()

    def test_an_unknown_length_is_refused_at_once_where_there_is_no_room_at_all(self, registry: Limited) -> None:
        registry.push_blob(BODY)
        registry.limit(len(BODY))
        uuid = registry.begin()
        refusal(lambda: registry.receive(uuid))
        assert registry.is_over(uuid)

    def test_nothing_is_reserved_where_nobody_bounds_the_bytes(self, registry: Limited) -> None:
        registry.limit(5, resource=Resource.TAGS)
        registry.receive(registry.begin(), len(BODY))
        registry.receive(registry.begin())
        assert registry.used() == {"team": 0}

    def test_a_limit_that_is_set_meanwhile_is_kept_by_the_commit(self, registry: Limited) -> None:
        uuid = registry.begin()
        reception = registry.receive(uuid)
        reception.append([BODY])
        registry.limit(len(BODY) - 1)
        refusal(lambda: reception.commit(Digest.of(BODY), registry.admin))
        assert registry.is_over(uuid)
        assert registry.used() == {"team": 0}
        assert len(registry.doomed()) == 1

    def test_a_limit_that_is_lowered_meanwhile_does_not_take_back_what_was_reserved(self, registry: Limited) -> None:
        registry.limit(len(BODY))
        reception = registry.receive(registry.begin(), len(BODY))
        registry.limit(1)
        reception.append([BODY])
        reception.commit(Digest.of(BODY), registry.admin)
        registry.check()

    def test_who_was_taken_over_reserves_nothing_more(self, registry: Limited) -> None:
        registry.limit(2 * STEP)
        uuid = registry.begin()
        first = registry.receive(uuid, 1)
        registry.receive(uuid, 2)
        with pytest.raises(UploadTakenOver):
            first.append([BODY])
        assert registry.used() == {"team": 2}


class TestTheEndOfSessions:
    """Each gives back exactly what was reserved."""

    @pytest.fixture
    def open_upload(self, registry: Limited) -> str:
        registry.limit(20_000)
        uuid = registry.begin()
        registry.receive(uuid, len(BODY)).append([BODY[:5_000]])
        assert registry.used() == {"team": 10_000}
        return uuid

    def test_cancelled(self, registry: Limited, open_upload: str) -> None:
        registry.uploads.cancel(APP, open_upload, registry.admin)
        assert registry.used() == {"team": 0}
        registry.check()

    def test_wrong_digest_keeps_it(self, registry: Limited, open_upload: str) -> None:
        reception = registry.receive(open_upload, len(BODY), Digest.of(BODY))
        reception.append([b"x" * len(BODY)])
        with pytest.raises(DigestInvalid):
            reception.commit(Digest.of(BODY), registry.admin)
        assert not registry.is_over(open_upload)
        assert registry.used() == {"team": 10_000}

    def test_committed_shorter_than_was_said(self, registry: Limited, open_upload: str) -> None:
        reception = registry.receive(open_upload, len(BODY))
        reception.append([BODY[:7_000]])
        reception.commit(Digest.of(BODY[:7_000]), registry.admin)
        assert registry.used() == {"team": 7_000}
        registry.check()

    def test_committed_as_what_somebody_else_has_pushed_meanwhile(self, registry: Limited, open_upload: str) -> None:
        registry.limit(30_000)
        reception = registry.receive(open_upload, len(BODY))
        registry.push_blob(BODY)
        assert registry.used() == {"team": 20_000}
        reception.append([BODY])
        reception.commit(Digest.of(BODY), registry.admin)
        assert registry.used() == {"team": 10_000}
        registry.check()

    def test_committed_small(self, registry: Limited, open_upload: str) -> None:
        reception = registry.receive(open_upload)
        reception.append([b"small"])
        reception.commit(Digest.of(b"small"), registry.admin)
        assert registry.used() == {"team": 5}
        registry.check()

    def test_expired_and_swept(self, registry: Limited, open_upload: str) -> None:
        del open_upload
        registry.metadata.transact(expire_all)
        tenure = Tenure(registry.metadata, "sweep", "me")
        assert Sweeper(registry.metadata, MemoryStore(), tenure, timedelta(0)).run().sessions == 1
        assert registry.used() == {"team": 0}
        registry.check()

    def test_expired_and_in_the_way(self, registry: Limited, open_upload: str) -> None:
        refusal(lambda: registry.receive(registry.begin(), 15_000))
        registry.metadata.transact(expire_all)
        registry.receive(registry.begin(), 15_000)
        assert registry.is_over(open_upload)
        assert registry.used() == {"team": 15_000}
        assert len(registry.doomed()) == 1
        registry.check()

    def test_expired_and_in_the_way_of_a_small_blob_or_of_an_unknown_length(
        self, registry: Limited, open_upload: str
    ) -> None:
        registry.limit(10_000)
        refusal(lambda: registry.push_blob(b"small"))
        registry.metadata.transact(expire_all)
        registry.push_blob(b"small")
        assert registry.is_over(open_upload)
        registry.receive(registry.begin(), 9_995)
        registry.metadata.transact(expire_all)
        registry.receive(registry.begin()).append([BODY[:9_995]])
        registry.check()

    def test_not_expired_because_it_was_acknowledged(self, registry: Limited, open_upload: str) -> None:
        registry.metadata.transact(expire_all)
        registry.uploads.offset(APP, open_upload, registry.admin)
        refusal(lambda: registry.receive(registry.begin(), 15_000))
        assert not registry.is_over(open_upload)

    def test_not_expired_while_bytes_come(self, registry: Limited) -> None:
        registry.limit(STEP + len(BODY))
        uuid = registry.begin()
        reception = registry.receive(uuid)
        reception.append([bytes(STEP)])
        registry.metadata.transact(expire_all)
        reception.append([b"x"])
        assert not registry.is_over(uuid)
        assert registry.used() == {"team": STEP + len(BODY)}
        registry.check()

    def test_deleted_with_its_repository(self, registry: Limited, open_upload: str) -> None:
        registry.delete_repository(APP)
        assert registry.is_over(open_upload)
        assert registry.used() == {"team": 0}
        registry.check()

    def test_ended_by_fsck(self, registry: Limited, open_upload: str) -> None:
        def break_and_end(tx: Transaction) -> bool:
            session = tx.uploads.find(APP, open_upload)
            assert session is not None
            assert session.object is not None
            tx.objects.doom(session.object)
            return tx.remedies.end_session(session.id)

        assert registry.metadata.transact(break_and_end)
        assert registry.used() == {"team": 0}
        registry.check()
