"""The scopes of the token flow, as clients write them (distribution-spec's token authentication, Token Scope).

    repository:samalba/my-app:pull,push registry:catalog:*
    type       name           actions   (next, after a space)

A name may itself hold a colon (`repository:host:5000/foo:pull`): the type ends at the first colon, the actions begin
after the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

MAX_SCOPES: Final = 100
MAX_TEXT: Final = 16 * 1024
MAX_NAME: Final = 255

_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_TYPE: Final = re.compile(r"[a-z0-9]+(?:\([a-z0-9]+\))?")
_NAME: Final = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*")
_ACTION: Final = re.compile(r"[a-z]+|\*")


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one resource; to hold one is to know that it is well formed. Raises: ValueError."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __post_init__(self) -> None:
        well_formed = (
            len(self.name) <= MAX_NAME
            and _TYPE.fullmatch(self.type)
            and _NAME.fullmatch(self.name)
            and self.actions
            and all(map(_ACTION.fullmatch, self.actions))
            and len(set(self.actions)) == len(self.actions)
        )
        if not well_formed:
            raise ValueError(f"not a scope: {str(self)[:MAX_NAME]!r}")

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """One scope; an action named twice counts once. Raises: ValueError."""
        type_, _, rest = text.partition(":")
        name, _, actions = rest.rpartition(":")
        return cls(type_, name, tuple(dict.fromkeys(actions.split(","))))


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """The well-formed scopes of `text` in order of appearance, one per resource; the rest is dropped.

    Of a text longer than 16 KiB nothing is read, and nothing behind its hundredth scope. A client asks for what it
    hopes to get, and an answer that grants less is the flow's way of saying no.
    """
    if len(text) > MAX_TEXT:
        return ()
    actions: dict[tuple[str, str], tuple[str, ...]] = {}
    for scope in _well_formed(text.split(" ")[:MAX_SCOPES]):
        resource = scope.type, scope.name
        actions[resource] = tuple(dict.fromkeys(actions.get(resource, ()) + scope.actions))
    return tuple(Scope(type_, name, merged) for (type_, name), merged in actions.items())


def _well_formed(texts: Iterable[str]) -> Iterable[Scope]:
    for text in texts:
        try:
            yield Scope.parse(text)
        except ValueError:
            continue
