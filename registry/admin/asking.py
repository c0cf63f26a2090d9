"""What a handler is given: the rules, and who asks. What its route refuses with, as the document tells it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from registry.admin.gate import caller_of
from registry.admin.problems import refusal_of
from registry.admin.services import Administration
from registry.core.facts import Caller


async def _administration(request: Request) -> Administration:
    administration: Administration = request.app.state.administration
    return administration


Admin = Annotated[Administration, Depends(_administration)]
Signed = Annotated[Caller, Depends(caller_of)]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`; what every route may answer, the document adds (`document`)."""
    return {status: refusal_of(status) for status in statuses}
