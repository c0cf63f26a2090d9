"""Every statement of the room `metadata`, found by walking it, under the name that its module gives it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import sqlalchemy as sa

import registry.metadata
from registry.metadata.statements import Statement


def statements() -> dict[str, Statement]:
    """By names such as `links._ADD`; of a dictionary of statements each, as `manifests._HAS_BLOBS[2]`."""
    found: dict[str, Statement] = {}
    for each in pkgutil.iter_modules(registry.metadata.__path__):
        module = importlib.import_module(f"registry.metadata.{each.name}")
        for name, value in vars(module).items():
            found |= {f"{each.name}.{name}{key}": statement for key, statement in _statements_in(value)}
    return found


def names() -> dict[int, str]:
    """By identity, as statements are constants; of one that several modules import, the first name."""
    return {id(statement): name for name, statement in reversed(statements().items())}


def _statements_in(value: object) -> Iterator[tuple[str, Statement]]:
    if isinstance(value, sa.Select | sa.Insert | sa.Update | sa.Delete):
        yield "", value
    elif isinstance(value, dict):
        for key, each in value.items():
            for _, statement in _statements_in(each):
                yield f"[{key}]", statement
