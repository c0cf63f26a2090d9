"""What the tables must say whenever nobody is at work, asked in words that both databases know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Ask = Callable[[str], list[tuple[Any, ...]]]

# Kinds 1 and 2 are configs and layers, 3 a child of an index.
_ALWAYS: Final = {
    "visible manifests lack a visible and healthy blob": """
SELECT manifest.id, reference.position FROM manifest JOIN reference ON manifest_id = manifest.id AND kind IN (1, 2)
LEFT JOIN link ON link.repository_id = manifest.repository_id AND link.digest = reference.digest
LEFT JOIN blob ON blob.id = blob_id WHERE manifest.deleted_at IS NULL
AND (blob.id IS NULL OR link.deleted_at IS NOT NULL OR damaged_at IS NOT NULL)""",
    "visible indexes lack a visible child": """
SELECT manifest.id, reference.position FROM manifest JOIN reference ON manifest_id = manifest.id AND kind = 3
LEFT JOIN manifest AS child ON child.repository_id = manifest.repository_id AND child.digest = reference.digest
WHERE manifest.deleted_at IS NULL AND (child.id IS NULL OR child.deleted_at IS NOT NULL)""",
    "deleted manifests lack a link, or an index its child": """
SELECT manifest.id, reference.position FROM manifest JOIN reference ON manifest_id = manifest.id AND kind < 4
WHERE NOT EXISTS (SELECT 1 FROM link WHERE link.repository_id = manifest.repository_id
    AND link.digest = reference.digest AND kind < 3)
AND NOT EXISTS (SELECT 1 FROM manifest AS child WHERE child.repository_id = manifest.repository_id
    AND child.digest = reference.digest AND kind = 3)""",
    "tags point to what is deleted": """
SELECT tag.name FROM tag JOIN manifest ON manifest.id = manifest_id WHERE deleted_at IS NOT NULL""",
    # A repository goes with the history of its tags, and may come back under another name.
    "intervals of tags are not as they are told": """
SELECT event.repository, reference, digest, count(*) FROM event WHERE action = 'tag.set'
    AND NOT EXISTS (SELECT 1 FROM event WHERE action = 'repository.delete')
GROUP BY event.repository, reference, digest
EXCEPT SELECT repository.name, kept.name, kept.digest, count(*) FROM repository JOIN (
    SELECT repository_id, name, digest FROM tag_history
    UNION ALL SELECT tag.repository_id, name, digest FROM tag JOIN manifest ON manifest.id = manifest_id
) AS kept ON kept.repository_id = repository.id GROUP BY repository.name, kept.name, kept.digest""",
    "sessions of deleted repositories are there": """
SELECT upload.id FROM upload JOIN repository ON repository.id = repository_id
WHERE repository.deleted_at IS NOT NULL""",
    "live objects are not one blob's": """
SELECT object.id FROM object LEFT JOIN blob ON object_id = object.id
WHERE (state = 'live') <> (blob.id IS NOT NULL)""",
    "objects that are received are not one session's": """
SELECT object.id FROM object LEFT JOIN upload ON object_id = object.id
WHERE (state = 'receiving') <> (upload.id IS NOT NULL)""",
}
# When every lease and window is over, and collector and sweeper have nothing more to do.
_AT_THE_END: Final = {
    "reviews wait": "SELECT repository_id, kind FROM review",
    "deleted manifests are there": "SELECT id FROM manifest WHERE deleted_at IS NOT NULL",
    "links that no manifest needs are there": """
SELECT link.blob_id FROM link WHERE NOT EXISTS (SELECT 1 FROM reference
    WHERE reference.repository_id = link.repository_id AND reference.digest = link.digest AND kind IN (1, 2))""",
    "blobs that no repository serves are there": """
SELECT id FROM blob WHERE NOT EXISTS (SELECT 1 FROM link WHERE blob_id = blob.id)""",
    "bytes that nobody names are there": """
SELECT id FROM content WHERE NOT EXISTS (SELECT 1 FROM manifest WHERE content_id = content.id)
AND NOT EXISTS (SELECT 1 FROM blob WHERE content_id = content.id)""",
    "objects that nobody names are there": "SELECT id FROM object WHERE state <> 'live'",
    "sessions are there": "SELECT id FROM upload",
    "reservations are there": "SELECT id FROM reservation",
}


def check_books(ask: Ask) -> None:
    """Nothing visible lacks anything, and nothing of a deleted manifest is lost while it can be restored."""
    _check(_ALWAYS, ask)


def check_nothing_is_left(ask: Ask) -> None:
    """The same, and everything that is there is somebody's."""
    _check(_ALWAYS | _AT_THE_END, ask)


def _check(books: dict[str, str], ask: Ask) -> None:
    for what, query in books.items():
        found = ask(query)
        assert not found, f"{what}: {found}"
