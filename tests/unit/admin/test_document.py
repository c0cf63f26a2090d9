"""The OpenAPI document: whole, of the right version, and there for everybody."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute

from registry.admin.app import PREFIX, ROUTERS
from tests.unit.admin.site import Site

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def document(registry: Site) -> dict[str, Any]:
    answer = registry.client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_it_is_of_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"]


def test_it_names_every_route_and_no_other(operations: dict[tuple[str, str], Any]) -> None:
    routed = {
        (method.lower(), f"{PREFIX}{route.path_format}")
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert routed == operations.keys()


def test_every_operation_says_in_a_line_what_it_does_and_for_whom(operations: dict[tuple[str, str], Any]) -> None:
    assert not [each for each, operation in operations.items() if not operation.get("summary")]
    assert not [each for each, operation in operations.items() if not operation.get("description")]
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)


def test_every_operation_tells_how_it_refuses(operations: dict[tuple[str, str], Any]) -> None:
    for (method, path), operation in operations.items():
        responses = operation["responses"]
        assert {"401", "403", "422", "429", "500", "503"} <= responses.keys()
        assert ("413" in responses) == ("requestBody" in operation)
        conditional = {each["name"] for each in operation.get("parameters", ())} & {"if-match"}
        assert ("412" in responses) == bool(conditional), (method, path)
        refused = {status: each for status, each in responses.items() if status >= "400"}
        for each in refused.values():
            assert each["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to(document: dict[str, Any]) -> None:
    named = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert named == document["components"]["schemas"].keys()


def test_what_clients_send_has_no_member_that_is_not_named(document: dict[str, Any]) -> None:
    sent = {name: each for name, each in document["components"]["schemas"].items() if name.endswith("Wanted")}
    assert len(sent) >= 6
    assert all(each["additionalProperties"] is False for each in sent.values())


def test_it_tells_how_to_sign_in(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {each["scheme"] for each in schemes.values()} == {"basic", "bearer"}
    assert document["security"] == [{name: []} for name in schemes]


def test_no_secret_is_in_what_is_listed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    telling = {name for name, each in schemas.items() if "secret" in each.get("properties", {})}
    assert telling == {"MadeToken", "RobotSecret"}
    assert not [
        name for name, each in schemas.items() if "password" in each.get("properties", {}) and "Wanted" not in name
    ]
