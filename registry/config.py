"""Defaults, a TOML file, the environment and the command line become one frozen `Settings`.

A later source wins over an earlier one. A key that nobody knows is refused together with the nearest known name,
because a misspelt setting that is silently ignored is a wrong setting; all problems are told at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from registry.kinds import (
    BOOLEAN,
    DATABASE,
    DURATION,
    INTEGER,
    NETWORKS,
    ORIGIN,
    PATH,
    SIZE,
    TEXT,
    WORKERS,
    Kind,
    Network,
    choice,
    optional,
)

T = TypeVar("T")

PREFIX = "REGISTRY_"
CONFIG_VARIABLE = "REGISTRY_CONFIG"
# Another program's variable under our prefix: where podman, buildah and skopeo keep their credentials.
FOREIGN_VARIABLES = frozenset({"REGISTRY_AUTH_FILE"})


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has one line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """What is known of a setting beside its name: a row of the table that `load`, `config show` and the docs use."""

    kind: Kind[T]
    default: str
    meaning: str
    least: str | None
    most: str | None
    secret: bool

    def bound(self, value: T) -> str | None:
        """What is wrong with the size of `value`, if anything is."""
        ordered: Any = self.kind.parse  # only kinds whose values have an order are given bounds
        if self.least is not None and value < ordered(self.least):
            return f"at least {self.least} is needed, not {self.kind.show(value)}"
        if self.most is not None and value > ordered(self.most):
            return f"at most {self.most} is possible, not {self.kind.show(value)}"
        return None


def _setting(
    kind: Kind[T],
    default: str,
    meaning: str,
    *,
    least: str | None = None,
    most: str | None = None,
    secret: bool = False,
) -> T:
    row = Setting(kind, default, meaning, least, most, secret)
    value: T = dataclasses.field(
        default_factory=lambda: kind.parse(default), repr=not secret, metadata={"setting": row}
    )
    return value


class Given(NamedTuple):
    """A value as some source wrote it; `where` is how that source calls it."""

    value: object
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator decides. To hold one is to know that it can be used. Raises: SettingsError."""

    host: str = _setting(TEXT, "127.0.0.1", "the address to listen on")
    port: int = _setting(INTEGER, "5000", "the port to listen on; 0 lets the kernel choose", least="0", most="65535")
    data: Path = _setting(PATH, "entrepot-data", "the folder that holds the database and the blobs")
    workers: int = _setting(
        WORKERS, "0", "how many processes serve; 0 means as many as there are cores", least="1", most="256"
    )
    threads: int = _setting(
        INTEGER, "8", "threads of one worker that write, hash and wait for the disk", least="1", most="256"
    )
    database: str | None = _setting(
        optional(DATABASE), "", "a PostgreSQL to keep the facts in; an SQLite file in `data` when not set", secret=True
    )
    database_connections: int = _setting(
        INTEGER, "8", "connections of one worker to PostgreSQL that write, and as many that read", least="1", most="256"
    )
    prepared_statements: bool = _setting(
        BOOLEAN, "true", "prepare statements on PostgreSQL; not behind a pgbouncer that pools transactions"
    )
    store: str = _setting(choice("filesystem", "s3"), "filesystem", "where blobs are kept: a folder in `data`, or S3")
    s3_bucket: str | None = _setting(optional(TEXT), "", "the bucket")
    s3_prefix: str | None = _setting(optional(TEXT), "", "what the names of all objects begin with, in a shared bucket")
    s3_region: str | None = _setting(optional(TEXT), "", "the bucket's region")
    s3_endpoint: str | None = _setting(optional(ORIGIN), "", "the store's address, where it is not Amazon's")
    s3_access_key: str | None = _setting(
        optional(TEXT), "", "who we are to the store; found like any AWS client does when not set"
    )
    s3_secret_key: str | None = _setting(optional(TEXT), "", "the secret of `s3_access_key`", secret=True)
    s3_path_style: bool = _setting(
        BOOLEAN, "false", "name the bucket in the path instead of the host, as most stores need"
    )
    s3_ca: Path | None = _setting(optional(PATH), "", "certificates in PEM that the store's is signed by")
    s3_encryption: str = _setting(
        choice("none", "AES256", "aws:kms"), "none", "what the store is asked to encrypt objects with"
    )
    s3_encryption_key: str | None = _setting(optional(TEXT), "", "the id of the key for `aws:kms`")
    s3_redirect: bool = _setting(
        BOOLEAN, "true", "send clients to the store for blobs, instead of passing them through"
    )
    s3_redirect_lifetime: timedelta = _setting(
        DURATION, "20m", "how long the address of a blob at the store is good for", least="1m", most="7d"
    )
    s3_redirect_except: str | None = _setting(
        optional(TEXT), "", "clients that blobs are passed through to: words of their user agents, after commas"
    )
    s3_connections: int = _setting(
        INTEGER, "8", "requests of one worker to the store at once, for each kind of work", least="1", most="256"
    )
    s3_readers: int = _setting(
        INTEGER, "64", "blobs that one worker passes through at once; more wait a while", least="1", most="4096"
    )
    key_file: Path | None = _setting(
        optional(PATH),
        "",
        "32 bytes that seal the signing keys, the same for all replicas; `key` in `data` when not set",
    )
    background: bool = _setting(BOOLEAN, "true", "do background work too; not needed where `entrepot worker` runs")
    tls_cert: Path | None = _setting(
        optional(PATH), "", "certificate chain in PEM; with `tls_key` the server speaks TLS"
    )
    tls_key: Path | None = _setting(optional(PATH), "", "private key of `tls_cert` in PEM")
    public_url: str | None = _setting(
        optional(ORIGIN), "", "how clients reach this server when a proxy stands in front of it"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        NETWORKS, "", "proxies whose word is taken for where a request comes from: addresses and networks, after commas"
    )
    service: str = _setting(TEXT, "entrepot", "the name under which tokens are issued and accepted")
    open: bool = _setting(BOOLEAN, "false", "serve without any authentication, on loopback addresses only")
    open_anywhere: bool = _setting(
        BOOLEAN, "false", "let `open` serve on every address; whoever reaches it may do everything"
    )
    anonymous_pull: bool = _setting(BOOLEAN, "false", "let callers without an account pull")
    admin_password: str | None = _setting(
        optional(TEXT),
        "",
        "password that `admin` gets on the first start, at least 8 characters; generated when not set",
        secret=True,
    )
    session_lifetime: timedelta = _setting(
        DURATION, "12h", "how long a browser stays signed in", least="1m", most="30d"
    )
    sign_in: Path | None = _setting(
        optional(PATH), "", "a file that names other sources of accounts: OpenID Connect and LDAP"
    )
    login_attempts: int = _setting(
        INTEGER, "10", "wrong passwords for one account from one source, before it has to wait", least="1", most="10000"
    )
    login_attempts_source: int = _setting(
        INTEGER,
        "50",
        "wrong passwords for any accounts from one source, before it has to wait",
        least="1",
        most="100000",
    )
    login_interval: timedelta = _setting(
        DURATION, "30s", "how long it then is to each further attempt", least="100ms", most="1d"
    )
    requests_per_caller: int = _setting(
        INTEGER, "0", "requests a minute that one account may make of one worker; 0 is no limit", least="0"
    )
    requests_anonymous: int = _setting(
        INTEGER, "0", "the same for all without an account who come from one address; 0 is no limit", least="0"
    )
    token_lifetime: timedelta = _setting(DURATION, "5m", "how long a bearer token is good for", least="1s", most="1d")
    refresh_lifetime: timedelta = _setting(
        DURATION, "90d", "how long what docker keeps after a login, in place of the password, is good for", least="1h"
    )
    sparse: bool = _setting(BOOLEAN, "false", "accept manifests whose blobs or manifests were not pushed yet")
    manifest_limit: int = _setting(SIZE, "4MiB", "the largest manifest accepted", least="64KiB", most="64MiB")
    upload_memory: int = _setting(
        SIZE,
        "32MiB",
        "memory of one worker for request bodies on their way to the disk, and as much again for parts of S3",
        least="4MiB",
    )
    upload_expiry: timedelta = _setting(
        DURATION, "1d", "an upload session that is idle for longer is forgotten", least="1s"
    )
    lease: timedelta = _setting(
        DURATION, "1d", "how long an unreferenced blob is kept for the manifest to come", least="10m"
    )
    undo_window: timedelta = _setting(DURATION, "7d", "how long a deleted tag, manifest or repository can be restored")
    delete_delay: timedelta = _setting(
        DURATION, "15m", "how long the bytes of a forgotten blob stay, for downloads under way"
    )
    retention_interval: timedelta = _setting(
        DURATION, "1h", "the pause between two runs of the rules of retention", least="1s"
    )
    sweep_interval: timedelta = _setting(
        DURATION, "1m", "the pause between two rounds of background work", least="100ms"
    )
    scrub_every: timedelta = _setting(
        DURATION, "30d", "how soon everything is read again and compared with its digest; 0s never does it"
    )
    scrub_rate: int = _setting(SIZE, "16MiB", "bytes that are read for that in a second, at the most", least="64KiB")
    backup_keep: int = _setting(
        INTEGER, "7", "daily copies of an SQLite database that `data` keeps; 0 makes none", least="0", most="3650"
    )
    audit_keep: timedelta = _setting(
        DURATION, "365d", "how long events of the audit log are kept once they are sealed; 0s keeps them for ever"
    )
    header_timeout: timedelta = _setting(
        DURATION, "30s", "how long a client may take to send the head of a request", least="1s"
    )
    stall_timeout: timedelta = _setting(
        DURATION, "1m", "how long a body may stand still, in either direction", least="1s"
    )
    drain_timeout: timedelta = _setting(
        DURATION, "30s", "how long requests under way may go on after a stop was asked for"
    )
    log_format: str = _setting(choice("json", "text"), "json", "how a line of the log looks")
    log_level: str = _setting(
        choice("debug", "info", "warning", "error"), "info", "the least important lines that are logged"
    )
    access_log: bool = _setting(BOOLEAN, "true", "log a line for every request")

    TABLE: ClassVar[Mapping[str, Setting[Any]]]

    def __post_init__(self) -> None:
        bounds = ((name, row.bound(getattr(self, name))) for name, row in self.TABLE.items())
        if problems := [f"{name}: {problem}" for name, problem in bounds if problem] + list(self._contradictions()):
            raise SettingsError(problems)

    def _contradictions(self) -> Iterator[str]:
        if (self.tls_cert is None) != (self.tls_key is None):
            yield "tls_cert and tls_key go together: give both or neither"
        if self.store == "s3" and not self.s3_bucket:
            yield "store s3 needs an s3_bucket"
        if self.database is not None and self.store == "s3" and self.key_file is None:
            # Each would make its own, and void the others' tokens.
            yield "database and store s3 make replicas, which share no folder: give all of them the same key_file"
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            yield "s3_access_key and s3_secret_key go together: give both or neither"
        if self.open and not self.open_anywhere and not is_loopback(self.host):
            yield f"open serves without authentication, so not on {self.host}: use 127.0.0.1, or set open_anywhere"
        if self.admin_password is not None and len(self.admin_password) < 8:  # noqa: PLR2004 - told in its meaning
            yield "admin_password: at least 8 characters are needed"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", self.service):
            yield f"service: letters, digits and . _ : / - only, not {self.service!r}"

    @classmethod
    def load(
        cls, *, file: Path | None = None, environ: Mapping[str, str], arguments: Mapping[str, object] | None = None
    ) -> Self:
        """What the sources make together; an argument that is None was not given. Raises: SettingsError."""
        given, problems = gather(file=file, environ=environ, arguments=arguments or {})
        values: dict[str, Any] = {}
        for name, (value, where) in given.items():
            try:
                values[name] = cls.TABLE[name].kind.parse(value)
            except ValueError as wrong:
                problems.append(f"{where}: {wrong}")
        try:
            settings = cls(**values)
        except SettingsError as wrong:
            raise SettingsError([*problems, *wrong.problems]) from None
        files = ((name, getattr(settings, name)) for name in ("tls_cert", "tls_key", "s3_ca", "sign_in"))
        problems += [f"{name}: no such file: {path}" for name, path in files if path is not None and not path.is_file()]
        if problems:
            raise SettingsError(problems)
        return settings

    def environ(self) -> dict[str, str]:
        """The variables from which `load` makes these very settings in another process. Holds secrets.

        Names every setting and no file, so that nothing edited meanwhile makes a worker differ from its parent.
        """
        return {variable(name): self.show(name) for name in self.TABLE} | {CONFIG_VARIABLE: ""}

    def show(self, name: str) -> str:
        """The value of one setting as text that can be written into a source."""
        return self.TABLE[name].kind.show(getattr(self, name))


Settings.TABLE = {field.name: field.metadata["setting"] for field in dataclasses.fields(Settings)}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def gather(
    *, file: Path | None, environ: Mapping[str, str], arguments: Mapping[str, object]
) -> tuple[dict[str, Given], list[str]]:
    """What the sources say, the strongest for each name, and what is wrong with them."""
    given: dict[str, Given] = {}
    problems: list[str] = []
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    if file is not None:
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as wrong:
            problems.append(f"{file}: {wrong.strerror if isinstance(wrong, OSError) else wrong}".lower())
            table = {}
        given |= {name: Given(value, f"{name} in {file}") for name, value in table.items() if name in Settings.TABLE}
        problems += [
            _unknown(f"setting {name} in {file}", name, list(Settings.TABLE))
            for name in table.keys() - Settings.TABLE.keys()
        ]
    variables = {variable(name): name for name in Settings.TABLE}
    for key, value in environ.items():
        if key in variables:
            given[variables[key]] = Given(value, key)
        elif key.startswith(PREFIX) and key != CONFIG_VARIABLE and key not in FOREIGN_VARIABLES:
            problems.append(_unknown(f"variable {key}", key, [*variables, CONFIG_VARIABLE]))
    given |= {
        name: Given(value, f"--{name.replace('_', '-')}") for name, value in arguments.items() if value is not None
    }
    return given, problems


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"unknown {what}; the nearest known name is {near[0]}"
