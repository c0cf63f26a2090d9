"""The application: one router per kind of thing, below one prefix, behind one gate."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from registry.admin import (
    audit,
    collector,
    deleted_repositories,
    explain,
    grants,
    groups,
    immutable,
    me,
    members,
    past,
    projects,
    quotas,
    repositories,
    retention,
    robots,
    scrub,
    tokens,
    users,
)
from registry.admin.document import describe
from registry.admin.gate import Gate
from registry.admin.late import ASGIApp
from registry.admin.problems import HANDLERS
from registry.admin.services import Administration

PREFIX: Final = "/api/v1"
DOCUMENT: Final = f"{PREFIX}/openapi.json"
ROUTERS: Final = (
    users.router,
    tokens.router,
    groups.router,
    members.router,
    robots.router,
    projects.router,
    quotas.router,
    grants.router,
    explain.router,
    # Before the other, to which all of its path would be a name.
    past.router,
    repositories.router,
    deleted_repositories.router,
    immutable.router,
    retention.router,
    me.router,
    audit.router,
    collector.router,
    scrub.router,
)


class _Described(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Made once: no route is added later."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema


def routed(version: str) -> FastAPI:
    """All routes; `state.administration` is what they ask."""
    app = _Described(
        title="Entrepot administration",
        version=version,
        openapi_url=DOCUMENT,
        # Their pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={**HANDLERS},
        generate_unique_id_function=_operation_id,
        # Spans would hold what clients send, passwords among it.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    return app


def create(administration: Administration, version: str) -> ASGIApp:
    """The ASGI application of everything below `/api/v1/`."""
    app = routed(version)
    app.state.administration = administration
    return Gate(app, administration.callers, administration.witness, frozenset({DOCUMENT}))


def _operation_id(route: APIRoute) -> str:
    return route.name
