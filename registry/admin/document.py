"""The OpenAPI document: what FastAPI reads off the routes, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from registry.admin.problems import Fault, Problem, refusal_of

# Whatever is asked for; and what comes with a body.
_ALWAYS: Final = (401, 403, 422, 429, 500, 503)
_WITH_BODY: Final = (400, 413)
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_ABOUT: Final = """\
Users, groups, robots, their credentials and their grants; rules over tags; quotas.

Sign in by Basic, with a password or a personal token, or send a personal token as Bearer. Credentials with limits
administer nothing. What you may not see is not there: 404. Errors are problem documents (RFC 9457), lists come by the
page (`limit`, `after`), and changes take `If-Match` and `If-None-Match`."""
_SCHEMES: Final = {
    "basic": {"type": "http", "scheme": "basic", "description": "name and password, or name and personal token"},
    "token": {"type": "http", "scheme": "bearer", "description": "a personal token"},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of all routes."""
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", description=_ABOUT, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    # FastAPI's own errors, which nobody is answered with.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Fault, Problem):
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas[model.__name__].pop("$defs", None)
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    for operation in _operations(document):
        common = (*_ALWAYS, *(_WITH_BODY if "requestBody" in operation else ()))
        operation["responses"] |= {str(status): refusal_of(status) for status in common}
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from (operation for method, operation in methods.items() if method in _METHODS)
