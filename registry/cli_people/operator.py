"""Who acts at the machine: in the name of `admin`, by the same rules as everybody, on the registry of the settings.

A verb is a function from an `Operator` and what was typed to an `Answer`; `operates` opens the one and prints the
other. The registry may be served meanwhile: its next request sees what was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

import click

from registry.cli_options import config_option, load, public_url, refuse, saying_why, settings_options
from registry.cli_people.answer import Told
from registry.config import Settings
from registry.core.accounts import ADMIN
from registry.core.auditing import AuditService
from registry.core.collector_service import CollectorService
from registry.core.credentials import CredentialService
from registry.core.facts import Caller, Principal, PrincipalKind
from registry.core.granting import GrantService
from registry.core.people import PeopleService
from registry.core.ports import Metadata
from registry.core.printable import harmless
from registry.core.refusals import PrincipalUnknown, Unfit
from registry.oci.errors import NameInvalid, QuotaExceeded, RegistryError

P = ParamSpec("P")
T = TypeVar("T")

FAILED: Final = 1
USAGE: Final = 2
_PAGE: Final = 1000
_OURS_TO_MEND: Final = 500


@dataclass(frozen=True, slots=True)
class Operator:
    """Acts as `caller`, by the services of `core`; `now` is when it began, by this machine's clock."""

    settings: Settings
    metadata: Metadata
    caller: Caller
    now: datetime

    @property
    def people(self) -> PeopleService:
        """Users, groups and robots."""
        return PeopleService(self.metadata)

    @property
    def credentials(self) -> CredentialService:
        """Tokens, and whatever else was given out."""
        return CredentialService(self.metadata)

    @property
    def grants(self) -> GrantService:
        """Grants, with what the settings grant."""
        return GrantService(self.metadata, anonymous_pull=self.settings.anonymous_pull)

    @property
    def collector(self) -> CollectorService:
        """The collector, as one tells it what to do."""
        return CollectorService(self.metadata, self.settings.delete_delay)

    @property
    def audit(self) -> AuditService:
        """What happened."""
        return AuditService(self.metadata)

    def get(self, name: str, *kinds: PrincipalKind) -> Principal:
        """The principal of this name and one of these kinds. Raises: PrincipalUnknown."""
        found = self.people.get(name)
        if found.kind not in kinds:
            raise PrincipalUnknown(name=name, reason=f"it is no {' and no '.join(kinds)}")
        return found

    def all(self, kind: PrincipalKind, words: str = "") -> Sequence[Principal]:
        """In the order of their names; those whose name or description holds `words`."""
        return list(every(lambda last: self.people.page(kind, last, _PAGE, words), lambda each: each.name))

    def login(self, name: str) -> str:
        """The line that docker is told, which then asks for the secret."""
        return f"docker login -u {name} {urlsplit(public_url(self.settings, self.settings.port)).netloc}"


def every(page: Callable[[str], Sequence[T]], key: Callable[[T], str]) -> Iterator[T]:
    """All pages, each asked for by the key of the last one before it."""
    last = ""
    while found := page(last):
        yield from found
        last = key(found[-1])


def operates(verb: Callable[Concatenate[Operator, P], Told]) -> Callable[..., None]:
    """Make a command of it, which takes `--data`, `--config` and `--json` too."""

    @settings_options("data")
    @config_option
    @click.option("--json", "as_json", is_flag=True, help="print one JSON document")
    @wraps(verb)
    def command(*typed: Any, data: str | None, file: Path | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401  click's own
        settings = load(file, {"data": data})
        with operating(settings) as operator:
            answer = verb(operator, *typed, **options)
            # While the registry is open: some answers are found as they are told.
            answer.tell(as_json=as_json)
        raise SystemExit(answer.status)

    return command


@contextmanager
def operating(settings: Settings) -> Iterator[Operator]:
    """Whoever works on this registry; what its rules refuse ends the command."""
    from registry import app
    from registry.metadata.snapshot import NoRegistry

    where = "the database" if settings.database else str(settings.data)
    with saying_why(where), _refusing():
        try:
            with app.opened_facts(settings) as metadata:
                yield Operator(settings, metadata, _administrator(metadata), datetime.now(UTC))
        except NoRegistry as wrong:
            refuse([f"{where}: {wrong}"], FAILED)


def _administrator(metadata: Metadata) -> Caller:
    admin = metadata.observe(lambda tx: tx.accounts.find(ADMIN))
    if admin is None:
        refuse(["the registry was never started: start it once"], FAILED)
    return admin


@contextmanager
def _refusing() -> Iterator[None]:
    """What the rules refuse is told in a line: 2 where it can never be had, 1 where it is not so by now."""
    try:
        yield
    except RegistryError as wrong:
        if wrong.status >= _OURS_TO_MEND:
            raise
        refuse([sentence(wrong)], USAGE if isinstance(wrong, Unfit | NameInvalid) else FAILED)


def sentence(wrong: RegistryError) -> str:
    """A refusal for people: what it is about, and why."""
    if isinstance(wrong, QuotaExceeded):
        # Which says both already, for docker.
        return wrong.message
    about = {name: harmless(str(value)) for name, value in wrong.detail.items()}
    reason = about.pop("reason", None)
    return ": ".join([*about.values(), reason]) if reason else ": ".join([wrong.message, *about.values()])
