"""Objects leave the store by the lot; one that the store does not let go keeps no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from registry.core.facts import ObjectKey
from registry.core.ports import ObjectStore
from registry.oci.errors import Unavailable

_MOST_FAILURES: Final = 5
"""Objects in a row that stay: then it is the store."""
Doomed = tuple[int, ObjectKey]


class Leaving:
    """One sweep's; `error` is why one stays, None while each has gone."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._failures = 0
        self.error: Exception | None = None

    def delete(self, doomed: Sequence[Doomed]) -> list[int]:
        """The ids of the rows of those that are gone. Raises: Unavailable, OSError, where the store lets nothing go."""
        try:
            # Whoever else deletes them too, by now, deletes what nobody will ever name again.
            self._store.delete([key for _, key in doomed])
        except (Unavailable, OSError) as error:
            return self._apart(doomed, error)
        self._failures = 0
        return [object_id for object_id, _ in doomed]

    def _apart(self, doomed: Sequence[Doomed], error: Exception) -> list[int]:
        """Either half by itself: those that went already go once more, which is no error."""
        if len(doomed) > 1:
            middle = len(doomed) // 2
            return self.delete(doomed[:middle]) + self.delete(doomed[middle:])
        self.error = error
        self._failures += 1
        if self._failures == _MOST_FAILURES:
            raise error
        return []
