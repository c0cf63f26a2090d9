"""Who may try another password: failed logins are counted, over all replicas, by the claimed name and the source.

    account and source     `attempts` at once, one more each `interval`; forgotten with the right password
    account                five times as many and as often
    source                 `attempts_source` at once, one more each `interval`
    source, of secrets     the same again, for the secrets that we make ourselves

Whoever fails for an account is slowed down where that comes from, so that nobody locks a colleague out by guessing: it
takes more than five networks, all the time, to fill the bucket that is the account's alone. The claimed name counts
whether there is such an account or not. Nobody guesses a secret of our own making, so a right one is never refused for
somebody's wrong ones; those have a bucket of their own, or a robot that goes on with a secret that was taken back would
keep the people behind the same address from their passwords.

A source is an IPv4 address or an IPv6 network of 64 bits, which is what one customer has. Buckets are named by SHA-256:
people type passwords where names belong.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from registry.core.ports import Metadata, Transaction
from registry.core.throttle import Allowance
from registry.oci.errors import Busy

_OF_ACCOUNT: Final = 5


class TooManyLogins(Busy):
    """Too many logins failed lately, for this name or from this source; which of the two, nobody learns."""

    message = "too many failed logins"

    def __init__(self, wait: timedelta, bucket: str) -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(wait.total_seconds()))
        self.wait = wait
        self.bucket = bucket


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that may fail: the buckets that it is counted in then, and the one that is emptied if it does not."""

    buckets: tuple[tuple[str, Allowance], ...]
    own: str | None = None

    def demand(self, kept: Mapping[str, datetime], now: datetime) -> None:
        """Whether it may be made, by what is kept of each bucket. Raises: TooManyLogins."""
        wait, name = max((allowance.wait(kept.get(name), now), name) for name, allowance in self.buckets)
        if wait:
            raise TooManyLogins(wait, name)


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """What the settings say."""

    attempts: int
    attempts_source: int
    interval: timedelta

    def by_password(self, account: str, address: str) -> Attempt:
        """Of a name and a password, whoever looks after that account."""
        # Other spellings are the same account where names are kept without case, as in directories.
        name, source = account.casefold(), source_of(address)
        own = _bucket("account and source", name, source)
        often = Allowance(_OF_ACCOUNT * self.attempts, self.interval / _OF_ACCOUNT)
        buckets = (
            (own, Allowance(self.attempts, self.interval)),
            (_bucket("account", name), often),
            (_bucket("source", source), Allowance(self.attempts_source, self.interval)),
        )
        return Attempt(buckets, own)

    def by_secret(self, address: str) -> Attempt:
        """Of a secret that looks like one of ours."""
        bucket = _bucket("source of secrets", source_of(address))
        return Attempt(((bucket, Allowance(self.attempts_source, self.interval)),))


@dataclass(frozen=True, slots=True)
class LoginThrottle:
    """The rules. Only a failure writes, and a success that has failures to forget."""

    metadata: Metadata
    limits: LoginLimits

    def admit(self, attempt: Attempt) -> bool:
        """Ask before anything that costs; whether failures are kept that a success forgets. Raises: TooManyLogins."""

        def look(tx: Transaction) -> tuple[Mapping[str, datetime], datetime]:
            return tx.throttles.of([name for name, _ in attempt.buckets]), tx.now

        kept, now = self.metadata.observe(look)
        attempt.demand(kept, now)
        return attempt.own in kept

    def failed(self, attempt: Attempt) -> None:
        """Count it, before the client hears of it: its next attempt finds it counted."""

        def count(tx: Transaction) -> None:
            # In one order, whoever counts: rows are locked as they are written.
            for name, allowance in sorted(attempt.buckets, key=lambda bucket: bucket[0]):
                tx.throttles.put_off(name, allowance.interval)

        self.metadata.transact(count)

    def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of this account from this source."""
        own = attempt.own
        if own is not None:
            self.metadata.transact(lambda tx: tx.throttles.forget(own))


def source_of(address: str) -> str:
    """What counts as one source of requests: an IPv4 address, an IPv6 network of 64 bits; anything else as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _bucket(*parts: str) -> str:
    # No part can hold the separator's byte in UTF-8, so no two lists of parts are one name.
    return hashlib.sha256(b"\xff".join(part.encode("utf-8", "surrogatepass") for part in parts)).hexdigest()
