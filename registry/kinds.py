"""How the values of settings are written: text, numbers, sizes, durations, each with its way there and back."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`parse` takes text or a TOML value and raises ValueError; `show` gives text that parses back."""

    name: str
    parse: Callable[[object], T]
    show: Callable[[T], str] = str
    bare: bool = False  # written in TOML without quotes


def _text(value: object) -> str:
    if not isinstance(value, str):
        # The value itself is not named: it may be a secret that lost its quotes.
        raise ValueError(f"text was expected, in quotes, not a value of type {type(value).__name__}")  # noqa: TRY004 - wrong input, not a wrong call
    return value


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
        return int(value)
    raise ValueError(f"not a whole number: {value!r}")


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    raise ValueError(f"neither true nor false: {value!r}")


_SIZES = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def _size(value: object) -> int:
    units = {unit.lower(): factor for unit, factor in _SIZES.items()} | {"": 1, "b": 1}
    found = re.fullmatch(r"([0-9]{1,18})\s*([a-z]*)", str(value).strip().lower())
    if isinstance(value, bool) or found is None or found[2] not in units:
        raise ValueError(f"not a size such as 4194304 or 4MiB: {value!r}")
    return int(found[1]) * units[found[2]]


def _show_size(value: int) -> str:
    fitting = (f"{value // factor}{unit}" for unit, factor in _SIZES.items() if value and value % factor == 0)
    return next(fitting, str(value))


_SPANS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(ms|[dhms]|)", str(value).strip().lower())
    if isinstance(value, bool) or found is None:
        raise ValueError(f"not a duration such as 90 (seconds), 15m, 24h or 7d: {value!r}")
    try:
        return float(found[1]) * _SPANS[found[2] or "s"]
    except OverflowError as wrong:
        raise ValueError(f"longer than any calendar: {value!r}") from wrong


def _show_duration(value: timedelta) -> str:
    fitting = (f"{value // span}{unit}" for unit, span in _SPANS.items() if value and not value % span)
    return next(fitting, f"{value.total_seconds():.6f}s" if value else "0s")


def _path(value: object) -> Path:
    # Absolute from the start: workers and the line that tells where the data lies need not know the working directory.
    return Path(_text(value)).expanduser().absolute()


def _origin(value: object) -> str:
    text = _text(value).rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"not scheme, host and port alone, such as https://registry.example.org: {value!r}")
    return text


def _database(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        # The URL itself may hold a password, and an error is read by many.
        raise ValueError("not the URL of a PostgreSQL database, such as postgresql://user:password@host/name")
    return text


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(each.strip()) for each in _text(value).split(",") if each.strip())


def cores() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0))


def choice(*words: str) -> Kind[str]:
    """One of a few words."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"not one of {', '.join(words)}: {value!r}")
        return str(value)

    return Kind(" or ".join(f"`{word}`" for word in words), parse)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same kind, where empty text means that nothing is set."""
    return Kind(
        f"{kind.name}, optional",
        lambda value: None if value == "" else kind.parse(value),
        lambda value: "" if value is None else kind.show(value),
    )


TEXT = Kind("text", _text)
INTEGER = Kind("number", _integer, bare=True)
BOOLEAN = Kind("true or false", _boolean, lambda value: str(value).lower(), bare=True)
SIZE = Kind("size", _size, _show_size)
DURATION = Kind("duration", _duration, _show_duration)
PATH = Kind("path", _path)
ORIGIN = Kind("URL", _origin)
DATABASE = Kind("URL", _database)
NETWORKS = Kind("networks", _networks, lambda value: ",".join(map(str, value)))
WORKERS = Kind("number", lambda value: _integer(value) or cores(), bare=True)
