"""A transaction, as the rules see it: its instant, and one set of queries per noun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from registry.metadata.accounts import Accounts
from registry.metadata.allowances import Allowances
from registry.metadata.blobs import Blobs
from registry.metadata.collecting import Collection
from registry.metadata.collector_runs import CollectorRuns
from registry.metadata.credentials import Credentials
from registry.metadata.deleted_manifests import DeletedManifests
from registry.metadata.deletions import Deletions
from registry.metadata.dissolving import Dissolution
from registry.metadata.events import Events
from registry.metadata.explained_usage import Explained
from registry.metadata.grants import Grants
from registry.metadata.holdings import Holdings
from registry.metadata.instants import from_micros
from registry.metadata.inventory import Inventory
from registry.metadata.journal import Journal
from registry.metadata.leases import Leases
from registry.metadata.links import Links
from registry.metadata.manifests import Manifests
from registry.metadata.moment import Moment
from registry.metadata.objects import Objects
from registry.metadata.outlook import Outlook
from registry.metadata.people import People
from registry.metadata.projects import Projects
from registry.metadata.pulls import Pulls
from registry.metadata.quotas import Quotas
from registry.metadata.remedies import Remedies
from registry.metadata.repositories import Repositories
from registry.metadata.reservations import Reservations
from registry.metadata.reviews import Reviews
from registry.metadata.scrubbing import Scrubbing
from registry.metadata.seals import Seals
from registry.metadata.settings import Settings
from registry.metadata.standings import Standings
from registry.metadata.statements import Runs
from registry.metadata.tag_rules import TagRules
from registry.metadata.tags import Tags
from registry.metadata.throttles import Throttles
from registry.metadata.uploads import Uploads
from registry.metadata.usage import Usage


class SqlTransaction:
    """Bound to one connection for life; `begin` sets the instant of the transaction that is open on it."""

    def __init__(self, connection: Runs) -> None:
        moment = self._moment = Moment(connection)
        self.accounts = Accounts(moment)
        self.allowances = Allowances(moment)
        self.blobs = Blobs(moment)
        self.collection = Collection(moment)
        self.collector_runs = CollectorRuns(moment)
        self.credentials = Credentials(moment)
        self.deleted_manifests = DeletedManifests(moment)
        self.deletions = Deletions(moment)
        self.dissolution = Dissolution(moment)
        self.events = Events(moment)
        self.explained = Explained(moment)
        self.grants = Grants(moment)
        self.holdings = Holdings(moment)
        self.inventory = Inventory(moment)
        self.journal = Journal(moment)
        self.leases = Leases(moment)
        self.links = Links(moment)
        self.manifests = Manifests(moment)
        self.objects = Objects(moment)
        self.outlook = Outlook(moment)
        self.people = People(moment)
        self.quotas = Quotas(moment)
        self.projects = Projects(moment)
        self.pulls = Pulls(moment)
        self.remedies = Remedies(moment)
        self.repositories = Repositories(moment)
        self.reservations = Reservations(moment)
        self.reviews = Reviews(moment)
        self.scrubbing = Scrubbing(moment)
        self.seals = Seals(moment)
        self.settings = Settings(moment)
        self.standings = Standings(moment)
        self.tag_rules = TagRules(moment)
        self.tags = Tags(moment)
        self.throttles = Throttles(moment)
        self.uploads = Uploads(moment)
        self.usage = Usage(moment)

    def begin(self, instant: int | Callable[[], int]) -> None:
        """A new transaction begins, at this instant in microseconds, or at the one that a clock tells when asked."""
        self._moment.begin(instant)

    def finish(self) -> None:
        """Its work is done, and it is about to be committed: what is to be written last is. Raises: QuotaExceeded."""
        self.quotas.settle()

    @property
    def notices(self) -> Sequence[str]:
        """What is to be told of soft limits, once it is finished."""
        return self._moment.notices

    @property
    def now(self) -> datetime:
        """The transaction's instant."""
        return from_micros(self._moment.micros)
