"""Reserving: before bytes are taken, there is room for them in the project (design §4).

length known                    all of it, before the body; nothing where the project is charged for this blob anyway,
                                until it turns out that it keeps what came, and that this was something else
length unknown                  a step at a time, while the bytes come
nobody bounds the project       nothing: what is charged in the end is looked at then
"""

from __future__ import annotations

from registry.core.facts import UploadSession
from registry.core.ports import Transaction
from registry.core.quota import MOST, STEP, reserved_next
from registry.oci.digest import Digest


def reserve(tx: Transaction, session: UploadSession, length: int | None, digest: Digest | None) -> int | None:
    """For a request's body that is about to come; the bytes that the session may hold then, None where any number.

    The transaction holds the session, and fails with QuotaExceeded where there is no room.
    """
    if not session.repository.is_limited:
        return None
    if length is None:
        return reserve_more(tx, session, session.offset + 1)
    # Whatever a client says, it is a number that databases know.
    end = min(session.offset + length, MOST)
    if digest is not None and tx.quotas.charges(session.repository, digest, end):
        return end
    if tx.quotas.room(session.repository, length) is None:
        return None
    tx.reservations.put(session, end)
    return end


def reserve_more(tx: Transaction, session: UploadSession, least: int) -> int | None:
    """The same for a body that goes on, and with which the session holds at least `least` bytes."""
    room = tx.quotas.room(session.repository, STEP)
    if room is None:
        return None
    size = reserved_next(tx.reservations.find(session), least, room)
    tx.reservations.put(session, size)
    return size


def reserve_kept(tx: Transaction, session: UploadSession, size: int) -> None:
    """For so many bytes that are kept although the request that brought them is over."""
    if tx.reservations.find(session) < size:
        tx.reservations.put(session, size)
