"""What goes wrong, as problem documents (RFC 9457): one table of their types, which clients may rely on.

{"type": "urn:entrepot:problem:changed", "title": …, "status": 412, "detail": "name: alice"}
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from registry.core import refusals
from registry.oci import errors
from registry.oci.errors import RegistryError

MEDIA_TYPE: Final = "application/problem+json"
_NAMES: Final = "urn:entrepot:problem:"
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_CHALLENGE: Final = 'Basic realm="entrepot", charset="UTF-8"'

# The two tables: what our rules refuse, and what never reaches them.
TYPES: Final[Mapping[type[RegistryError], str]] = {
    errors.Busy: "too-many-requests",
    errors.Denied: "denied",
    errors.DigestInvalid: "digest-invalid",
    errors.ManifestUnknown: "manifest-unknown",
    errors.ManifestInvalid: "tag-invalid",
    errors.NameInvalid: "repository-name-invalid",
    errors.NameUnknown: "repository-unknown",
    errors.Unauthorized: "unauthorized",
    errors.Unavailable: "unavailable",
    refusals.Changed: "changed",
    refusals.CollectorPaused: "collector-paused",
    refusals.CredentialUnknown: "credential-unknown",
    refusals.DeletedRepositoryUnknown: "deleted-repository-unknown",
    refusals.GrantUnknown: "grant-unknown",
    refusals.LastAdministrator: "last-administrator",
    refusals.NameTaken: "name-taken",
    refusals.PrincipalUnknown: "principal-unknown",
    refusals.NotDeleted: "not-deleted",
    refusals.NotAdmitted: "not-admitted",
    refusals.NotRestorable: "not-restorable",
    refusals.TagRuleUnknown: "rule-unknown",
    refusals.TooManyRules: "too-many-rules",
    refusals.TooManyCredentials: "too-many-credentials",
    refusals.ProjectUnknown: "project-unknown",
    refusals.Unfit: "unfit",
}
OF_HTTP: Final[Mapping[int, str]] = {
    400: "unreadable",
    404: "route-unknown",
    405: "method-not-allowed",
    413: "too-large",
    422: "invalid",
    500: "internal",
}


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="the part of the request, such as `body/description` or `query/limit`")
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="a name that stays the same")
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] = Field(default_factory=list, description="for a request that is not valid")


def refusal_of(status: int) -> dict[str, Any]:
    """A problem of this status, as an OpenAPI document describes it."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def refused(error: RegistryError) -> JSONResponse:
    """The answer that an error stands for."""
    owed = {"WWW-Authenticate": _CHALLENGE} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if error.retry_after is not None:
        owed["Retry-After"] = str(error.retry_after)
    name = next((TYPES[each] for each in type(error).__mro__ if each in TYPES), "refused")
    told = ", ".join(f"{key}: {value}" for key, value in error.detail.items())
    return _answer(name, error.message, error.status, told or None, headers=owed)


def failed() -> JSONResponse:
    """The answer where the fault is ours."""
    return _answer(OF_HTTP[500], "the registry failed to answer; its log tells more", 500)


async def on_refusal(_: Request, error: Exception) -> JSONResponse:
    """For what the rules raise."""
    assert isinstance(error, RegistryError)  # noqa: S101  registered for no other
    return refused(error)


async def on_failure(_request: Request, _error: Exception) -> JSONResponse:
    """For what nobody expected; whoever called the application logs it."""
    return failed()


async def on_invalid(_: Request, error: Exception) -> JSONResponse:
    """For a request that does not fit the document. What was sent is not repeated: it may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for no other
    faults = [Fault(where="/".join(map(str, each["loc"])), detail=each["msg"]) for each in error.errors()]
    return _answer(OF_HTTP[422], "the request is not valid", 422, faults=faults)


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """For what FastAPI itself refuses: paths, methods, bodies."""
    assert isinstance(error, HTTPException)  # noqa: S101  registered for no other
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Starlette names those of the first route only that has the path.
        headers["Allow"] = ", ".join(_allowed(request.app.routes, request.scope))
    title = HTTPStatus(error.status_code).phrase.lower()
    return _answer(OF_HTTP.get(error.status_code, "refused"), title, error.status_code, headers=headers)


HANDLERS: Final[Mapping[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    RegistryError: on_refusal,
    RequestValidationError: on_invalid,
    HTTPException: on_http,
    Exception: on_failure,
}


def _answer(
    name: str,
    title: str,
    status: int,
    detail: str | None = None,
    *,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(type=_NAMES + name, title=title, status=status, detail=detail, errors=list(faults))
    return JSONResponse(problem.model_dump(), status, dict(headers or {}), MEDIA_TYPE)


def _allowed(routes: Sequence[BaseRoute], scope: MutableMapping[str, Any]) -> Sequence[str]:
    return [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
