"""Upload sessions under any order of requests, take-overs and crashes, against a model that only keeps bytes.

The model of a session is what was acknowledged; of a request, what it appended and whether a later one has come since.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from registry.core.facts import UploadSession
from registry.core.reception import Reception
from registry.oci.digest import Digest
from registry.oci.errors import ChunkOutOfOrder, DigestInvalid, UploadTakenOver, UploadUnknown
from registry.oci.ranges import Span
from tests.unit.core.house import APP, House
from tests.unit.metadata.databases import quick_folder

# Two of the longest are more than a row may hold.
chunks = st.one_of(st.binary(max_size=4), st.sampled_from([bytes(2500), b"\xff" * 2500]))
picks = st.integers(0, 5)


@dataclass
class Session:
    """`acknowledged` is None once the session is over."""

    uuid: str
    algorithm: str
    acknowledged: bytes | None = b""
    finished: Digest | None = None


@dataclass
class Sending:
    """One request that is still open."""

    session: Session
    reception: Reception
    content: bytes
    is_stale: bool = False


class UploadSessions(RuleBasedStateMachine):
    """Clients, proxies and workers at their worst."""

    in_memory = True

    def __init__(self) -> None:
        super().__init__()
        self.open_folder = ExitStack()
        folder = self.open_folder.enter_context(quick_folder())
        self.house = House(folder, in_memory=self.in_memory)
        self.sessions: list[Session] = []
        self.open: list[Sending] = []
        self.served: dict[Digest, bytes] = {}

    def teardown(self) -> None:
        for each in self.open:
            each.reception.close()
        self.house.close()
        self.open_folder.close()

    # Sessions

    @initialize(algorithm=st.sampled_from(["sha256", "sha512"]))
    def first(self, algorithm: str) -> None:
        self.begin(algorithm)

    @precondition(lambda self: len(self.sessions) < 3)
    @rule(algorithm=st.sampled_from(["sha256", "sha512"]))
    def begin(self, algorithm: str) -> None:
        self.sessions.append(Session(self.house.uploads.begin(APP, self.house.admin, algorithm), algorithm))

    @rule(pick=picks)
    def status(self, pick: int) -> None:
        session = self._session(pick)
        if session.acknowledged is None:
            with pytest.raises(UploadUnknown):
                self.house.uploads.offset(APP, session.uuid, self.house.admin)
        else:
            assert self.house.uploads.offset(APP, session.uuid, self.house.admin) == len(session.acknowledged)
            self._taken_over(session)

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        session = self._session(pick)
        if session.acknowledged is None:
            with pytest.raises(UploadUnknown):
                self.house.uploads.cancel(APP, session.uuid, self.house.admin)
        else:
            self.house.uploads.cancel(APP, session.uuid, self.house.admin)
            self._over(session)

    @rule(pick=picks, content=st.binary(max_size=4), is_right=st.booleans())
    def put_small(self, pick: int, content: bytes, is_right: bool) -> None:
        session, digest = self._session(pick), Digest.of(content if is_right else b"something else")
        before = self._has_object(session)
        try:
            done = self.house.uploads.put_small(APP, session.uuid, self.house.admin, digest, content)
        except UploadUnknown:
            assert session.acknowledged is None
        except DigestInvalid:
            assert not is_right
        else:
            assert bool(done) is not before
            if done:
                self.served[digest] = content
                self._over(session, digest)

    # Requests

    @rule(pick=picks)
    def receive(self, pick: int) -> None:
        session = self._session(pick)
        if session.acknowledged is None:
            with pytest.raises(UploadUnknown):
                self.house.receive(session.uuid)
            return
        reception = self.house.receive(session.uuid)
        assert reception.offset == len(session.acknowledged)
        self._taken_over(session)
        self.open.append(Sending(session, reception, session.acknowledged))

    @rule(pick=picks, start=st.integers(0, 12))
    def receive_out_of_order(self, pick: int, start: int) -> None:
        session = self._session(pick)
        if session.acknowledged is None or start == len(session.acknowledged):
            return
        with pytest.raises(ChunkOutOfOrder):
            self.house.uploads.receive(APP, session.uuid, self.house.admin, Span(start, 1))

    @precondition(lambda self: self.open)
    @rule(pick=picks, content=chunks, at_once=st.booleans())
    def append(self, pick: int, content: bytes, at_once: bool) -> None:
        sending = self._sending(pick)
        pieces = [content] if at_once else [bytes([each]) for each in content]
        if sending.is_stale:
            with pytest.raises(UploadTakenOver):
                sending.reception.append(pieces)
        else:
            sending.reception.append(pieces)
            sending.content += content

    @precondition(lambda self: self.open)
    @rule(pick=picks)
    def acknowledge(self, pick: int) -> None:
        sending = self._sending(pick)
        if sending.is_stale:
            with pytest.raises(UploadTakenOver):
                sending.reception.acknowledge()
        else:
            assert sending.reception.acknowledge() == len(sending.content)
            sending.session.acknowledged = sending.content

    @precondition(lambda self: self.open)
    @rule(pick=picks)
    def go_away(self, pick: int) -> None:
        self._close(self._sending(pick))

    @precondition(lambda self: self.open)
    @rule(pick=picks, is_right=st.booleans(), late=st.booleans())
    def commit(self, pick: int, is_right: bool, late: bool) -> None:
        sending = self._sending(pick)
        algorithm = sending.session.algorithm
        if late and not sending.is_stale:
            # Known only now: the other one of the two.
            algorithm = {"sha256": "sha512", "sha512": "sha256"}[algorithm]
        digest = Digest.of(sending.content if is_right else b"something else", algorithm)
        try:
            sending.reception.commit(digest, self.house.admin)
        except UploadTakenOver:
            assert sending.is_stale
        except DigestInvalid:
            assert not is_right
        else:
            assert is_right
            assert not sending.is_stale
            self.served[digest] = sending.content
            self._over(sending.session, digest)
        self._close(sending)

    # The machine

    @rule()
    def crash(self) -> None:
        for each in list(self.open):
            self._close(each)
        self.house.crash()

    @precondition(lambda self: all(each.session.acknowledged is not None for each in self.open))
    @rule()
    def sweep(self) -> None:
        self.house.sweeper.run()
        assert "doomed" not in self.house.states()

    # What always holds

    @invariant()
    def every_session_is_what_was_acknowledged_of_it(self) -> None:
        for session in self.sessions:
            offset = None if session.acknowledged is None else len(session.acknowledged)
            assert self.house.uploads.peek(APP, session.uuid, self.house.admin) == offset
            assert self.house.uploads.finished(APP, session.uuid, self.house.admin) == session.finished
            if offset:
                found = self._row(session)
                assert found is not None
                assert found.key is not None
                with self.house.store.open(found.key) as stream:
                    assert stream.read(offset) == session.acknowledged

    @invariant()
    def every_blob_is_its_bytes(self) -> None:
        for digest, content in self.served.items():
            assert self.house.content(digest) == content
            assert Digest.of(content, digest.algorithm) == digest

    @invariant()
    def every_object_is_named_by_one_who_needs_it(self) -> None:
        named = {row[0] for row in self.house.rows("SELECT object_id FROM upload UNION SELECT object_id FROM blob")}
        for object_id, state in self.house.rows("SELECT id, state FROM object"):
            assert (state == "doomed") is (object_id not in named)

    def _session(self, pick: int) -> Session:
        return self.sessions[pick % len(self.sessions)]

    def _sending(self, pick: int) -> Sending:
        return self.open[pick % len(self.open)]

    def _has_object(self, session: Session) -> bool:
        found = self._row(session)
        return found is not None and found.object is not None

    def _row(self, session: Session) -> UploadSession | None:
        return self.house.metadata.observe(lambda tx: tx.uploads.find(APP, session.uuid))

    def _taken_over(self, session: Session) -> None:
        for each in self.open:
            each.is_stale = each.is_stale or each.session is session

    def _over(self, session: Session, digest: Digest | None = None) -> None:
        self._taken_over(session)
        session.acknowledged, session.finished = None, digest

    def _close(self, sending: Sending) -> None:
        sending.reception.close()
        self.open.remove(sending)


class UploadSessionsOnDisk(UploadSessions):
    """The same on files."""

    in_memory = False


BOUNDED = settings(max_examples=25, stateful_step_count=30)
TestUploadSessionsInMemory = UploadSessions.TestCase
TestUploadSessionsInMemory.settings = BOUNDED
TestUploadSessionsOnDisk = UploadSessionsOnDisk.TestCase
TestUploadSessionsOnDisk.settings = BOUNDED
