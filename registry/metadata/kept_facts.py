"""Reading a snapshot: whose facts it holds, how many, and which objects belong to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.core.facts import ObjectKey
from registry.metadata.facts_file import FactsDamaged, open_facts, saying_what
from registry.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object that a blob names."""

    key: ObjectKey
    size: int
    digest: Digest
    is_damaged: bool


class Snapshot:
    """Facts that nobody writes to any more, at this program's schema. Close it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection = open_facts(database)

    def close(self) -> None:
        """Give the descriptor back."""
        self._connection.close()

    @property
    def revision(self) -> str:
        """The schema that the facts are at."""
        return str(self._value("SELECT version_num FROM alembic_version"))

    @property
    def instance(self) -> str:
        """Whose facts these are. Raises: FactsDamaged."""
        found = self._value("SELECT value FROM setting WHERE name = 'instance'")
        if found is None:
            raise FactsDamaged(f"{self._database} names no instance")
        return str(found)

    def counts(self) -> dict[str, int]:
        """How many there are of what people ask for."""
        return {
            "repositories": self._count("repository WHERE deleted_at IS NULL AND pushed_at IS NOT NULL"),
            "manifests": self._count("manifest WHERE deleted_at IS NULL"),
            "tags": self._count("tag"),
            "blobs": self._count("blob"),
        }

    def totals(self) -> tuple[int, int]:
        """The number of objects that blobs name, and their bytes."""
        query = "SELECT count(*), coalesce(sum(object.size), 0) FROM object JOIN blob ON object_id = object.id"
        count, size = next(self._rows(query))
        return count, size

    def objects(self) -> Iterator[KeptObject]:
        """Those that blobs name, in the order of their keys."""
        query = (
            "SELECT object.key, object.size, blob.digest, blob.damaged_at IS NOT NULL"
            " FROM object JOIN blob ON object_id = object.id WHERE object.state = 'live' ORDER BY object.key"
        )
        for key, size, digest, is_damaged in self._rows(query):
            yield KeptObject(ObjectKey(key), size, Digest.unpack(digest), bool(is_damaged))

    def keys(self, prefix: str) -> set[str]:
        """The keys among them that begin so."""
        query = "SELECT key FROM object JOIN blob ON object_id = object.id WHERE key >= ? AND key < ?"
        return {row[0] for row in self._rows(query, prefix, prefix + "\x7f")}

    def _count(self, what: str) -> int:
        return int(self._value(f"SELECT count(*) FROM {what}"))  # noqa: S608 - our own words

    def _value(self, query: str) -> Any:  # noqa: ANN401 - whatever SQL says
        row = next(self._rows(query), None)
        return row[0] if row else None

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        with saying_what(self._database):
            # Not delegated: one that is left half-way would close its cursor after the connection.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
