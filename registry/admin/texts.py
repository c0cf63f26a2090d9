"""Texts and instants as this API takes them: without control characters, which forge lines of logs, and not endless."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from registry.auth.passwords import MAX_PASSWORD
from registry.core.rights import PRESETS, WORDS

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_LONGEST_NAME: Final = 140
_LONGEST_PATTERN: Final = 255

Description = Annotated[str, StringConstraints(max_length=500, pattern=ONE_LINE)]
Label = Annotated[str, StringConstraints(max_length=100, pattern=ONE_LINE)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=MAX_PASSWORD)]
PatternText = Annotated[
    str, Field(min_length=1, max_length=_LONGEST_PATTERN, pattern=ONE_LINE, examples=["team/app", "team/**", "**"])
]
Word = Annotated[str, Field(max_length=20, json_schema_extra={"enum": [*WORDS, *PRESETS]})]
Words = Annotated[list[Word], Field(min_length=1, max_length=20, examples=[["pull", "push"], ["reader"]])]


def _as_text(value: object) -> object:
    if not (isinstance(value, str) and _INSTANT.match(value)):
        raise ValueError("not an instant as RFC 3339 writes it")
    return value


# JSON has no instants, so one is read from a text, however strict the rest is; from no number of seconds though.
Instant = Annotated[AwareDatetime, BeforeValidator(_as_text), Field(strict=False, examples=["2030-01-31T12:00:00Z"])]

_NAME: Final = Path(min_length=1, max_length=_LONGEST_NAME, pattern=ONE_LINE)
Name = Annotated[str, _NAME]
Project = Annotated[str, Path(min_length=1, max_length=_LONGEST_NAME, pattern=ONE_LINE, description="first component")]


class Strict(BaseModel):
    """What clients send: no member that we do not know, and nothing that is merely like what it should be."""

    model_config = ConfigDict(extra="forbid", strict=True)
