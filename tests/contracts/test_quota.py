"""What every database promises of quotas: never a byte too many, nothing refused that fits, nothing left reserved."""

from __future__ import annotations

from functools import partial

import pytest

from registry.core.facts import ContentKind
from registry.core.ports import Metadata, Transaction
from registry.core.quota import Resource, Scope
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.contracts.limited import DEFAULT, Limited, expire_all, is_refused, refusal
from tests.contracts.test_collecting import APP, AWAY, CONFIG, LAYER, OTHER, image
from tests.support.together import together

BODY = b"b" * 10_000


@pytest.fixture
def registry(metadata: Metadata) -> Limited:
    return Limited(metadata)


class TestBytes:
    def test_what_fits_to_the_byte_is_taken_and_one_byte_more_is_refused(self, registry: Limited) -> None:
        registry.limit(100)
        registry.push_blob(bytes(60))
        refused = refusal(lambda: registry.push_blob(bytes(41)))
        assert refused.detail == {"resource": "bytes", "used": 60, "limit": 100, "needed": 41, "project": "team"}
        assert refused.message == ("quota exceeded: project team uses 60 bytes of 100 bytes, 41 bytes more needed")
        registry.push_blob(bytes(40))
        assert registry.used() == {"team": 100}
        registry.check()

    def test_nothing_of_what_is_refused_takes_place(self, registry: Limited) -> None:
        registry.limit(10)
        refusal(lambda: registry.push_blob(bytes(11), OTHER))
        assert registry.used() == {"team": 0}
        assert registry.metadata.observe(lambda tx: tx.repositories.find(OTHER)) is None
        assert not registry.serves(Digest.of(bytes(11)))

    def test_what_the_project_has_costs_nothing_more(self, registry: Limited) -> None:
        registry.limit(len(LAYER))
        registry.push_blob(LAYER)
        registry.push_blob(LAYER)
        registry.push_blob(LAYER, OTHER)
        assert registry.blobs.mount(RepositoryName("team/third"), Digest.of(LAYER), APP, registry.admin)
        assert registry.used() == {"team": len(LAYER)}
        registry.check()

    def test_a_mount_from_another_project_is_charged_and_refused_like_a_push(self, registry: Limited) -> None:
        digest = registry.push_blob(LAYER, AWAY)
        registry.limit(len(LAYER) - 1)
        refused = refusal(lambda: registry.blobs.mount(APP, digest, AWAY, registry.admin))
        assert refused.detail["needed"] == len(LAYER)
        registry.limit(len(LAYER))
        assert registry.blobs.mount(APP, digest, AWAY, registry.admin)
        assert registry.used() == {"away": len(LAYER), "team": len(LAYER)}

    def test_manifests_are_charged_too(self, registry: Limited) -> None:
        manifest = image()
        registry.push_blob(CONFIG)
        registry.limit(len(CONFIG) + len(manifest) - 1)
        refusal(lambda: registry.push(manifest))
        registry.limit(len(CONFIG) + len(manifest))
        registry.push(manifest)
        registry.push(manifest, Tag("v2"))
        registry.check()

    def test_a_lower_limit_takes_nothing_away_and_lets_nothing_in(self, registry: Limited) -> None:
        digest = registry.push_blob(bytes(60))
        registry.limit(10)
        refusal(lambda: registry.push_blob(b"x"))
        assert registry.serves(digest)
        registry.blobs.delete(APP, digest, registry.admin)
        registry.collect()
        registry.push_blob(b"x")
        registry.check()

    def test_a_limit_of_all_projects_is_that_of_each_without_its_own(self, registry: Limited) -> None:
        registry.limit(10, of=DEFAULT)
        refusal(lambda: registry.push_blob(bytes(11)))
        registry.push_blob(bytes(10), AWAY)
        registry.push_blob(bytes(10))
        registry.limit(11)
        registry.push_blob(b"x")
        refusal(lambda: registry.push_blob(b"x", AWAY))

    def test_a_limit_without_bounds_sets_a_project_free_of_that_of_all(self, registry: Limited) -> None:
        registry.limit(10, of=DEFAULT)
        registry.limit()
        registry.push_blob(bytes(1000))

    def test_what_came_to_nothing_is_not_charged_to_who_comes_next(self, registry: Limited) -> None:
        def charge_and_fail(tx: Transaction) -> None:
            repository = tx.repositories.get_or_create(APP)
            tx.repositories.charge(repository, ContentKind.BLOB, Digest.of(b"x"), 1000)
            raise KeyError

        with pytest.raises(KeyError):
            registry.metadata.transact(charge_and_fail)
        registry.push_blob(LAYER)
        assert registry.used() == {"team": len(LAYER)}

    def test_limits_of_others_are_no_concern(self, registry: Limited) -> None:
        registry.push_blob(b"x", AWAY)
        registry.limit(0, of="away")
        uuid = registry.begin()
        registry.receive(uuid).append([BODY])
        assert registry.used() == {"away": 1, "team": 0}


class TestOwners:
    def test_a_user_owns_the_project_of_its_first_push_and_others_own_none(self, registry: Limited) -> None:
        alice, robot = registry.user("alice"), registry.metadata.transact(lambda tx: tx.accounts.add("a+ci", "robot"))
        registry.uploads.begin(RepositoryName("hers/app"), alice)
        registry.uploads.begin(RepositoryName("its/app"), robot)
        registry.uploads.begin(RepositoryName("hers/app"), robot)
        owners = {each.name: each.owner for each in registry.metadata.observe(lambda tx: tx.projects.page("", 10))}
        assert owners == {"hers": "alice", "its": None, "team": None}

    def test_a_user_has_what_its_projects_have_together(self, registry: Limited) -> None:
        registry.user("alice")
        registry.push_blob(bytes(5), AWAY)
        registry.own("team", "alice")
        registry.own("away", "alice")
        registry.limit(10, of="alice", scope=Scope.USER)
        refused = refusal(lambda: registry.push_blob(bytes(6)))
        assert refused.detail == {"resource": "bytes", "used": 5, "limit": 10, "needed": 6, "user": "alice"}
        registry.push_blob(bytes(5))
        registry.own("away", None)
        registry.push_blob(b"fifth")
        registry.check()

    def test_the_limit_of_all_users_is_that_of_each(self, registry: Limited) -> None:
        registry.user("alice")
        registry.own("team", "alice")
        registry.limit(10, of=DEFAULT, scope=Scope.USER)
        refusal(lambda: registry.push_blob(bytes(11)))
        registry.push_blob(bytes(11), AWAY)


class TestCounts:
    def test_repositories(self, registry: Limited) -> None:
        registry.limit(2, resource=Resource.REPOSITORIES)
        registry.push_blob(b"x", OTHER)
        third = RepositoryName("team/third")
        refused = refusal(lambda: registry.push_blob(b"x", third))
        assert refused.message == "quota exceeded: project team has 2 of 2 repositories, 1 repository more needed"
        registry.push_blob(b"y", APP)
        registry.delete_repository(OTHER)
        registry.push_blob(b"x", third)
        refusal(lambda: registry.restore_repository(OTHER))

    def test_tags(self, registry: Limited) -> None:
        registry.limit(2, resource=Resource.TAGS)
        registry.push_image(LAYER, tag=Tag("one"))
        registry.push_image(b"another", tag=Tag("one"))
        registry.push(image(LAYER), Tag("two"))
        refused = refusal(lambda: registry.push(image(LAYER), Tag("three")))
        assert refused.message == "quota exceeded: project team has 2 of 2 tags, 1 tag more needed"
        registry.push(image(LAYER), None)
        registry.manifests.delete_tag(APP, Tag("one"), registry.admin)
        registry.push(image(LAYER), Tag("three"))

    def test_several_tags_at_once_are_all_or_none(self, registry: Limited) -> None:
        registry.limit(2, resource=Resource.TAGS)
        registry.push_image(LAYER, tag=None)
        tags = [Tag("one"), Tag("two"), Tag("three")]
        content = image(LAYER)
        put = partial(registry.manifests.put, APP, Digest.of(content), content, "", registry.admin)
        assert refusal(lambda: put(tags=tags)).detail["needed"] == 3
        put(tags=tags[:2])

    def test_open_uploads(self, registry: Limited) -> None:
        registry.limit(2, resource=Resource.UPLOADS)
        first = registry.begin()
        registry.begin(OTHER)
        assert refusal(registry.begin).detail == {
            "resource": "uploads", "used": 2, "limit": 2, "needed": 1, "project": "team",
        }  # fmt: skip
        registry.uploads.cancel(APP, first, registry.admin)
        registry.begin()
        registry.metadata.transact(expire_all)
        registry.begin()

    def test_a_user_has_those_of_all_its_projects(self, registry: Limited) -> None:
        registry.user("alice")
        registry.push_blob(b"x", AWAY)
        registry.own("team", "alice")
        registry.own("away", "alice")
        registry.limit(2, resource=Resource.REPOSITORIES, of="alice", scope=Scope.USER)
        assert refusal(lambda: registry.begin(OTHER)).detail["user"] == "alice"


class TestSoftLimits:
    def test_who_crosses_is_told_and_who_is_beyond_and_it_is_written_once(self, registry: Limited) -> None:
        registry.limit(1000, 100)
        told = [registry.put(bytes(size)).notices for size in (100, 1, 2, 3)]
        assert told[0] == []
        assert told[1] == ["project team uses 101 bytes, beyond its soft limit of 100 bytes"]
        assert told[3] == ["project team uses 106 bytes, beyond its soft limit of 100 bytes"]
        assert registry.warnings() == ["project team: project team uses 101 bytes, beyond its soft limit of 100 bytes"]

    def test_it_is_written_again_when_it_is_crossed_again(self, registry: Limited) -> None:
        registry.limit(soft=100)
        for _ in range(2):
            registry.put(bytes(101))
            registry.blobs.delete(APP, Digest.of(bytes(101)), registry.admin)
            registry.collect()
        assert len(registry.warnings()) == 2

    def test_so_are_numbers_and_what_there_is_is_told(self, registry: Limited) -> None:
        registry.push_image(LAYER, tag=None)
        registry.limit(soft=2, resource=Resource.TAGS)
        told: list[str] = []
        for number in range(5):
            _, keep = registry.manifests.plan(APP, Tag(f"v{number}"), image(LAYER), "", registry.admin)
            told += registry.metadata.transact(keep).notices
        assert told == [f"project team has {each} tags, beyond its soft limit of 2 tags" for each in (3, 4, 5)]
        assert registry.warnings() == [f"project team: {told[0]}"]
        registry.limit(2, resource=Resource.TAGS)
        assert refusal(lambda: registry.push(image(LAYER), Tag("more"))).detail["used"] == 5

    def test_what_is_only_reserved_is_not_told_of(self, registry: Limited) -> None:
        registry.limit(1 << 40, 20_000)
        registry.receive(registry.begin(), 1 << 30)
        for number in range(14):
            content = bytes([number]) * 5_000
            reception = registry.receive(registry.begin())
            reception.append([content])
            told = reception.commit(Digest.of(content), registry.admin).notices
            assert bool(told) is (number > 3)
        assert len(registry.warnings()) == 1

    def test_what_had_been_reserved_by_a_session_that_expired_is_not_told_of(self, registry: Limited) -> None:
        registry.limit(20_000, 15_000)
        registry.receive(registry.begin(), 20_000)
        registry.metadata.transact(expire_all)
        assert registry.put(b"small").notices == []
        assert registry.warnings() == []
        assert registry.used() == {"team": 5}

    def test_tags_have_one_too_and_mounts_and_manifests_tell(self, registry: Limited) -> None:
        digest = registry.push_blob(LAYER, AWAY)
        registry.limit(soft=1)
        mounted = registry.blobs.mount(APP, digest, AWAY, registry.admin)
        assert mounted is not None
        assert mounted.notices == ["project team uses 7 bytes, beyond its soft limit of 1 byte"]
        registry.push_image(LAYER)
        registry.limit(soft=1, resource=Resource.TAGS)
        _, keep = registry.manifests.plan(APP, Tag("v2"), image(LAYER), "", registry.admin)
        told = registry.metadata.transact(keep)
        assert told.notices == ["project team has 2 tags, beyond its soft limit of 1 tag"]


class TestConcurrently:
    """Exactly as much as fits, whoever comes at the same moment."""

    def test_of_two_for_the_last_bytes_one_wins(self, registry: Limited) -> None:
        for number in range(5):
            name = RepositoryName(f"race{number}/app")
            registry.push_blob(b"x", name)
            registry.limit(1 + 1000, of=name.project)
            wishes = [partial(registry.push_blob, bytes([each]) * 1000, name) for each in range(2)]
            assert sorted(together(*[partial(is_refused, each) for each in wishes])) == [False, True]
        registry.check()

    def test_of_many_as_many_as_fit(self, registry: Limited) -> None:
        registry.limit(3 * len(BODY))
        uuids = [registry.begin() for _ in range(8)]
        receive = [partial(registry.receive, each, len(BODY)) for each in uuids]
        refused = together(*[partial(is_refused, each) for each in receive])
        assert refused.count(False) == 3
        assert registry.used() == {"team": 3 * len(BODY)}
        registry.check()

    def test_of_a_users_two_projects_the_same_goes_for_both_together(self, registry: Limited) -> None:
        registry.user("alice")
        registry.limit(1000, of="alice", scope=Scope.USER)
        for number in range(5):
            names = [RepositoryName(f"{word}{number}/app") for word in ("one", "two")]
            for name in names:
                registry.begin(name)
                registry.own(name.project, "alice")
            wishes = [partial(registry.push_blob, bytes([each]) * 1000, name) for each, name in enumerate(names)]
            assert sorted(together(*[partial(is_refused, each) for each in wishes])) == [False, True]
            for name in names:
                registry.own(name.project, None)

    def test_of_many_new_repositories_tags_and_uploads_as_many_as_fit(self, registry: Limited) -> None:
        registry.push_image(LAYER, tag=None)
        begin = [partial(registry.begin, RepositoryName(f"team/new{each}")) for each in range(6)]
        registry.limit(3, resource=Resource.REPOSITORIES)
        assert together(*[partial(is_refused, each) for each in begin]).count(False) == 2
        push = [partial(registry.push, image(LAYER), Tag(f"new{each}")) for each in range(6)]
        registry.limit(3, resource=Resource.TAGS)
        assert together(*[partial(is_refused, each) for each in push]).count(False) == 3
        registry.limit(5, resource=Resource.UPLOADS)
        assert together(*[partial(is_refused, registry.begin) for _ in range(6)]).count(False) == 3
