"""Limits that come, go and move while blobs are pushed in pieces, mounted, deleted and given up, in any order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.core.collect import Collector
from registry.core.quota import Limit, Resource, Scope
from registry.core.reception import Reception
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, QuotaExceeded, UploadUnknown
from registry.oci.names import RepositoryName
from tests.unit.core.house import APP, AWAY, OTHER, House
from tests.unit.metadata.databases import quick_folder

NAMES = APP, OTHER, AWAY
CONTENTS = b"a", bytes(100), bytes(5_000), b"x" * 5_000
names, contents, picks = st.sampled_from(NAMES), st.sampled_from(CONTENTS), st.integers(0, 9)
limits = st.none() | st.sampled_from([0, 100, 5_000, 5_100, 10_000, 20_000])


@dataclass
class Sending:
    """An upload that is under way."""

    name: RepositoryName
    uuid: str
    reception: Reception
    content: bytes


class Quotas(RuleBasedStateMachine):
    """Two projects; what the counters should say is asked of the tables, what may be had of the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.open_folder = ExitStack()
        self.house = House(self.open_folder.enter_context(quick_folder()))
        for name in NAMES:
            self.house.uploads.cancel(name, self.house.begin(name), self.house.admin)
        self.limits: dict[str, int] = {}
        self.open: list[Sending] = []

    def teardown(self) -> None:
        for each in self.open:
            each.reception.close()
        self.house.close()
        self.open_folder.close()

    @rule(name=names, limit=limits)
    def limit(self, name: RepositoryName, limit: int | None) -> None:
        (project,) = self.house.rows("SELECT id FROM project WHERE name = ?", name.project)[0]
        set_to = {} if limit is None else {Resource.BYTES: Limit(limit)}
        self.house.metadata.transact(lambda tx: tx.allowances.put(Scope.PROJECT, project, set_to, self.house.admin))
        if limit is None:
            self.limits.pop(name.project, None)
        else:
            self.limits[name.project] = limit

    @rule(name=names, content=contents)
    def push_small(self, name: RepositoryName, content: bytes) -> None:
        fits = self._fits(name, self._needed(name, content))
        try:
            self.house.push_blob(content, name)
        except QuotaExceeded:
            assert not fits
        else:
            assert fits

    @rule(name=names, source=names, content=contents)
    def mount(self, name: RepositoryName, source: RepositoryName, content: bytes) -> None:
        fits = self._fits(name, self._needed(name, content))
        try:
            if self.house.mount(Digest.of(content), source, name, self.house.admin):
                assert fits
        except QuotaExceeded:
            assert not fits

    @precondition(lambda self: len(self.open) < 3)
    @rule(name=names, content=contents, is_known=st.booleans(), is_named=st.booleans())
    def begin(self, name: RepositoryName, content: bytes, is_known: bool, is_named: bool) -> None:
        uuid, digest = self.house.begin(name), Digest.of(content) if is_named else None
        needed = len(content) if is_known else 1
        if is_known and is_named and self._needed(name, content) == 0:
            needed = 0
        fits = self._fits(name, needed)
        try:
            reception = self.house.uploads.receive(
                name, uuid, self.house.admin, None, digest, len(content) if is_known else None
            )
        except QuotaExceeded:
            assert not fits
            assert self.house.uploads.peek(name, uuid, self.house.admin) is None
        else:
            assert fits
            self.open.append(Sending(name, uuid, reception, content))

    @precondition(lambda self: self.open)
    @rule(pick=picks, is_right=st.booleans())
    def finish(self, pick: int, is_right: bool) -> None:
        sending = self.open.pop(pick % len(self.open))
        digest = Digest.of(sending.content if is_right else b"other")
        try:
            sending.reception.append([sending.content])
            sending.reception.commit(digest, self.house.admin)
        except QuotaExceeded:
            assert self.house.uploads.peek(sending.name, sending.uuid, self.house.admin) is None
        except DigestInvalid:
            assert not is_right
        finally:
            sending.reception.close()

    @precondition(lambda self: self.open)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        sending = self.open.pop(pick % len(self.open))
        sending.reception.close()
        try:
            self.house.uploads.cancel(sending.name, sending.uuid, self.house.admin)
        except UploadUnknown:
            raise AssertionError("only its own end ends it") from None

    @rule(name=names, content=contents)
    def delete_and_collect(self, name: RepositoryName, content: bytes) -> None:
        if self.house.serves(Digest.of(content), name) is not None:
            self.house.blobs.delete(name, Digest.of(content), self.house.admin)
            self.house.rows("UPDATE link SET lease_until = 0 WHERE deleted_at IS NOT NULL")
            Collector(self.house.metadata, self.house.lease).run()

    @rule()
    def crash_and_sweep(self) -> None:
        """Which keeps sessions, and what they have reserved."""
        for each in self.open:
            each.reception.close()
        self.open.clear()
        self.house.crash()
        self.house.sweeper.run()

    def _needed(self, name: RepositoryName, content: bytes) -> int:
        has = self.house.rows(
            "SELECT 1 FROM project_content JOIN project ON id = project_id WHERE name = ? AND digest = ?",
            name.project,
            Digest.of(content).packed,
        )
        return 0 if has else len(content)

    def _fits(self, name: RepositoryName, needed: int) -> bool:
        limit = self.limits.get(name.project)
        return limit is None or needed == 0 or self.house.used()[name.project] + needed <= limit

    @invariant()
    def every_project_uses_what_it_holds_and_what_is_reserved(self) -> None:
        reserved = dict(
            self.house.rows(
                "SELECT name, sum(size) FROM reservation JOIN project ON project.id = project_id GROUP BY name"
            )
        )
        owed = {name: size + reserved.get(name, 0) for name, size in self.house.owed().items()}
        assert self.house.used() == owed

    @invariant()
    def only_what_is_open_has_reserved_anything(self) -> None:
        assert (
            self.house.rows("SELECT 1 FROM reservation JOIN upload ON upload.id = upload_id WHERE finished IS NOT NULL")
            == []
        )


TestQuotas = Quotas.TestCase
TestQuotas.settings = settings(max_examples=25, stateful_step_count=30)
