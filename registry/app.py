"""Where drivers meet rules: the only file that names a concrete driver.

prepare   once per start, before any worker: database migrated, store and instance matched, key and accounts there
create    once per worker: connections, services, the ASGI application, and its background work
work      background work alone, in a process of its own
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from registry import log
from registry.api.last_use import LastUse
from registry.api.pulls import Pulls
from registry.application import Application, Drivers, Facts, Gathered
from registry.auth import passwords
from registry.auth.keeper import KeyKeeper
from registry.auth.key_file import KeyFile
from registry.auth.passwords import Passwords
from registry.background import Background, EvenRest
from registry.config import Settings
from registry.core.accounts import residents_of, settle
from registry.core.collect import Collector
from registry.core.credentials import CredentialService
from registry.core.deletion import Deletion
from registry.core.ends import EndsWatch
from registry.core.facts import Caller
from registry.core.people import PeopleService
from registry.core.ports import Metadata, ObjectStore, StoreInventory, Transaction
from registry.core.pulling import PullService, begin_counting
from registry.core.restoring import refuse_unfinished
from registry.core.retaining import RetentionPlanner
from registry.core.retention_run import Retainer
from registry.core.scrub import LeasedScrubber, Scrubber, Time
from registry.core.sealing import Sealer
from registry.core.sweep import Sweeper
from registry.core.tenure import Tenure
from registry.entrance import sources_of
from registry.scrubbing import Rests, ScrubThread
from registry.server.worker import worker_index
from registry.storage.cold import ColdReads
from registry.storage.durable import make_folder
from registry.storage.filesystem import FilesystemStore
from registry.storage.hashing import hashes
from registry.storage.layout import LAYOUT_FILE, Layout

if TYPE_CHECKING:
    from registry.backup.daily import DailyFacts
    from registry.storage.s3_client import S3Settings


@dataclass(frozen=True, slots=True)
class Prepared:
    """A registry that can be served; `admin_password` is set when the account was made, and generated, just now."""

    admin_password: str | None


def migrate(settings: Settings) -> str:
    """Bring the database to this program's schema; the revision reached. Raises: SchemaUnknown, Unavailable."""
    # Late: what only a start needs would cost each worker 20 MiB for life.
    from registry.metadata import migrate as migrations

    make_folder(settings.data)
    return migrations.migrate(database(settings))


def prepare(settings: Settings) -> Prepared:
    """All that a first start makes and every start checks.

    Raises: SourcesError, SchemaUnknown, LayoutInvalid, InstanceMismatch, RestoreUnfinished, Unavailable.
    """
    sources_of(settings)
    migrate(settings)
    metadata = _open_metadata(settings)
    try:
        instance = metadata.transact(_instance)
        match_instance(settings, instance)
        password = settings.admin_password or passwords.generate()
        _, is_new = settle(metadata, lambda: Passwords().hash(password))
        _key_keeper(settings, metadata).refresh(datetime.now(UTC))
    finally:
        metadata.close()
    return Prepared(password if is_new and settings.admin_password is None and not settings.open else None)


def _instance(tx: Transaction) -> str:
    """Whose facts these are. Raises: RestoreUnfinished."""
    instance = tx.settings.get_or_put("instance", str(uuid.uuid4()))
    begin_counting(tx)
    # Not earlier: a restore that was putting its facts there has been waited for in the line above.
    refuse_unfinished(tx)
    return instance


def copy_database(settings: Settings, target: str, tell: Callable[[str, int], None]) -> int:
    """Every fact into another database, empty, migrated here; the number of rows.

    `target` is a PostgreSQL's URL or the path of an SQLite file.
    Raises: NotEmpty, SchemasDiffer, CopyDiffers, SchemaUnknown, Unavailable.
    """
    from registry.metadata import copying
    from registry.metadata import migrate as migrations

    wanted = target if target.startswith(("postgresql://", "postgres://")) else Path(target.removeprefix("sqlite:///"))
    source = database(settings)
    for each in (source, wanted):
        migrations.migrate(each)
    return copying.copy(source, wanted, tell)


@contextmanager
def opened_facts(settings: Settings) -> Iterator[Facts]:
    """The facts alone, of a registry as this program knows it. Raises: NoRegistry, RestoreUnfinished, Unavailable."""
    from registry.metadata.snapshot import check_current

    check_current(database(settings))
    metadata = _open_metadata(settings)
    try:
        metadata.observe(refuse_unfinished)
        yield metadata
    finally:
        metadata.close()


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Facts, ObjectStore]]:
    """Facts and bytes for work that does not serve; everything is prepared."""
    metadata = _open_metadata(settings)
    try:
        yield metadata, _open_store(settings)[0]
    finally:
        metadata.close()


def open_store(settings: Settings) -> ObjectStore:
    """The bytes alone."""
    return _open_store(settings)[0]


def has_layout(settings: Settings) -> bool:
    """Whether a registry has used this store before. Raises: LayoutInvalid, Unavailable."""
    if settings.store == "s3":
        from registry.storage.s3_bucket import Bucket

        return Bucket(_s3_settings(settings)).head(LAYOUT_FILE) is not None
    return Layout.find(settings.data) is not None


def inventory(settings: Settings) -> StoreInventory:
    """What the store holds, for who compares it with the facts."""
    if settings.store == "s3":
        from registry.storage.s3_bucket import Bucket
        from registry.storage.s3_inventory import S3Inventory

        return S3Inventory(Bucket(_s3_settings(settings)))
    from registry.storage.file_inventory import FileInventory

    return FileInventory(settings.data)


def create_app(settings: Settings) -> Application:
    """An ASGI application for these settings, alone in its process."""
    prepare(settings)
    return _create(settings, is_first=True)


def create_app_from_environ() -> Application:
    """The same for one worker of several: the settings as its parent passed them on, everything already prepared."""
    settings = Settings.load(environ=os.environ)
    log.configure(settings.log_format, settings.log_level)
    # Threads that hash and write come back for the interpreter after each call into the kernel; by default they would
    # wait 5 ms for it, each time, behind the event loop.
    sys.setswitchinterval(0.0005)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Connections, and files kept open for reading, soon are more than the thousand of old.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return _create(settings, is_first=worker_index() == 0)


def work(settings: Settings, stop: threading.Event) -> None:
    """Background work without serving, until `stop`; everything is prepared."""
    with opened(settings) as (metadata, store):
        _background(settings, metadata, store).work(stop)


def _create(settings: Settings, *, is_first: bool) -> Application:
    drivers, tidy = _open(settings)
    keeper = _key_keeper(settings, drivers.metadata)
    keeper.refresh(datetime.now(UTC))
    gathered = Gathered(LastUse(CredentialService(drivers.metadata)), Pulls(PullService(drivers.metadata)))
    refreshing = (lambda: keeper.refresh(datetime.now(UTC)), tidy, *gathered.refreshing)
    if is_first and settings.background:
        background = _background(settings, drivers.metadata, drivers.store, refreshing)
    else:
        background = Background(refreshing, None, settings.sweep_interval)
    return Application(settings, drivers, keeper, background, gathered)


def _background(
    settings: Settings, metadata: Facts, store: ObjectStore, refreshing: Sequence[Callable[[], object]] = ()
) -> Background:
    """All that one process in the world does at a time, and what this one does for itself."""
    return Background(
        refreshing,
        _sweeper(settings, metadata, store),
        settings.sweep_interval,
        _daily(settings, metadata),
        _ends_watch(metadata),
        _sealer(settings, metadata),
        Collector(metadata, settings.undo_window, EvenRest()),
        retainer(settings, metadata),
        _scrubbing(settings, metadata, store) if settings.scrub_every else nullcontext(),
    )


# The choice of drivers. Each is imported where it is chosen: an SQLite worker needs no PostgreSQL in its memory.


def database(settings: Settings) -> Path | str:
    """An SQLite file, or the URL of a PostgreSQL."""
    return settings.database or settings.data / "registry.db"


def _open(settings: Settings) -> tuple[Drivers, Callable[[], object]]:
    """The drivers, and what to do now and then to keep them lean."""
    store, tidy = _open_store(settings)
    if settings.database is not None:
        from registry.metadata.postgres_reader import PostgresReader

        metadata = _open_metadata(settings)
        reader = PostgresReader(
            settings.database, settings.database_connections, prepared_statements=settings.prepared_statements
        )
        return Drivers(metadata, reader, store, reader.close), tidy
    from registry.metadata.reader import SqliteReader
    from registry.metadata.sqlite import SqliteMetadata

    facts = SqliteMetadata(settings.data / "registry.db")
    connection = facts.reader(cache=16384)
    return Drivers(facts, SqliteReader(connection.run, connection.version), store, _nothing_to_wait_for), tidy


def _open_metadata(settings: Settings) -> Facts:
    if settings.database is not None:
        from registry.metadata.postgres import PostgresMetadata

        return PostgresMetadata(
            settings.database, settings.database_connections, prepared_statements=settings.prepared_statements
        )
    from registry.metadata.sqlite import SqliteMetadata

    return SqliteMetadata(settings.data / "registry.db")


def _open_store(settings: Settings) -> tuple[ObjectStore, Callable[[], object]]:
    if settings.store == "s3":
        from registry.storage.s3 import S3Store

        # The interpreter waits for the parts on their way when it ends; nothing else is to be closed.
        return S3Store(_s3_settings(settings)), _nothing
    files = FilesystemStore(settings.data)
    # A descriptor kept for reading holds the space of an object that another process deleted.
    return files, files.drop_deleted


def match_instance(settings: Settings, instance: str) -> None:
    """Make sure that the store is this instance's, as an empty one becomes. Raises: LayoutInvalid, InstanceMismatch."""
    if settings.store == "s3":
        from registry.storage.s3 import S3Store

        S3Store(_s3_settings(settings)).load_or_create_layout(instance)
    else:
        Layout.load_or_create(settings.data, instance)


def _s3_settings(settings: Settings) -> S3Settings:
    from registry.storage.s3_client import S3Settings

    assert settings.s3_bucket is not None  # noqa: S101  the settings refuse such a store without a bucket
    return S3Settings(
        bucket=settings.s3_bucket,
        prefix=settings.s3_prefix or "",
        region=settings.s3_region,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        path_style=settings.s3_path_style,
        ca=settings.s3_ca,
        sse="" if settings.s3_encryption == "none" else settings.s3_encryption,
        sse_key=settings.s3_encryption_key,
        memory=settings.upload_memory,
        folder=settings.data,
        concurrency=settings.s3_connections,
        readers=settings.s3_readers,
        redirect=settings.s3_redirect,
        redirect_lifetime=settings.s3_redirect_lifetime,
    )


def _sweeper(settings: Settings, metadata: Facts, store: ObjectStore) -> Sweeper:
    return Sweeper(metadata, store, sweep_tenure(metadata), settings.delete_delay, EvenRest())


def sweep_tenure(metadata: Facts, holder: str | None = None) -> Tenure:
    """The lease of who deletes objects, and of who wants none deleted."""
    # A name of its own for each process, so that a lease is never taken for another's.
    return Tenure(metadata, "sweep", holder or str(uuid.uuid4()))


def _scrubbing(settings: Settings, metadata: Facts, store: ObjectStore) -> ScrubThread:
    rests = Rests()
    reads = scrubber(settings, metadata, store, rests, residents_of(metadata).anonymous)
    tenure = Tenure(metadata, "scrub", str(uuid.uuid4()), timedelta(minutes=2))
    return ScrubThread(LeasedScrubber(reads, tenure), rests, settings.sweep_interval.total_seconds())


def scrubber(settings: Settings, metadata: Metadata, store: ObjectStore, rests: Time, by: Caller) -> Scrubber:
    """Whoever reads everything again, and tells of what it finds in the name of `by`."""
    return Scrubber(
        metadata, ColdReads(store), hashes(), rests, by, every=settings.scrub_every, rate=settings.scrub_rate
    )


def _ends_watch(metadata: Facts) -> EndsWatch:
    tenure = Tenure(metadata, "ends", str(uuid.uuid4()))
    return EndsWatch(PeopleService(metadata), tenure, residents_of(metadata).anonymous, lambda: datetime.now(UTC))


def _sealer(settings: Settings, metadata: Facts) -> Sealer:
    return Sealer(metadata, Tenure(metadata, "seal", str(uuid.uuid4())), settings.audit_keep)


def retainer(settings: Settings, metadata: Metadata) -> Retainer:
    """What carries out the rules of retention."""
    return Retainer(
        metadata,
        RetentionPlanner(metadata),
        Deletion(settings.lease, settings.undo_window),
        Tenure(metadata, "retention", str(uuid.uuid4())),
        residents_of(metadata).anonymous,
        settings.retention_interval,
    )


def _daily(settings: Settings, metadata: Facts) -> DailyFacts | None:
    if settings.database is not None or not settings.backup_keep:
        return None
    from registry.backup.daily import DailyFacts

    facts, folder = settings.data / "registry.db", settings.data / "backups"
    return DailyFacts(facts, folder, settings.backup_keep, sweep_tenure(metadata), lambda: datetime.now(UTC))


def _key_keeper(settings: Settings, metadata: Facts) -> KeyKeeper:
    key_file = settings.key_file or settings.data / "key"
    return KeyKeeper(metadata, KeyFile.load_or_create(key_file), settings.token_lifetime)


async def _nothing_to_wait_for() -> None:
    pass


def _nothing() -> None:
    pass
