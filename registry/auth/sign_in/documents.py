"""What a provider publishes of itself and answers, read with care: bounded JSON, and only the members that we need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from registry.client.errors import Malformed
from registry.client.origin import Origin

LARGEST: Final = 256 << 10
"""Bytes of any document; the largest that are known have a tenth of it."""

_BASIC, _POST = "client_secret_basic", "client_secret_post"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider is asked what (OpenID Connect Discovery 1.0, 3). A secret goes by Basic where that is known."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    is_basic: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for; nothing of it is believed yet, and none of it is kept."""

    id_token: str = field(repr=False)
    access_token: str | None = field(repr=False)


def json_object(body: bytes, what: str) -> dict[str, Any]:
    """The members of a document. Raises: Malformed."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Malformed(f"{what} is no object in JSON")
    return document


def parse_metadata(body: bytes, issuer: str) -> Metadata:
    """The document of that issuer and of no other (OpenID Connect Discovery 1.0, 4.3). Raises: Malformed."""
    document = json_object(body, "the discovery document")
    if document.get("issuer") != issuer:
        raise Malformed(f"the discovery document is of {str(document.get('issuer'))[:200]!a}, not of {issuer!a}")
    methods = document.get("token_endpoint_auth_methods_supported", [_BASIC])
    if not isinstance(methods, list) or not {_BASIC, _POST} & {each for each in methods if isinstance(each, str)}:
        raise Malformed("the discovery document knows no way to tell the client's secret that we know")
    has_userinfo = document.get("userinfo_endpoint") is not None
    return Metadata(
        issuer,
        _endpoint(document, "authorization_endpoint", issuer),
        _endpoint(document, "token_endpoint", issuer),
        _endpoint(document, "jwks_uri", issuer),
        _endpoint(document, "userinfo_endpoint", issuer) if has_userinfo else None,
        is_basic=_BASIC in methods,
    )


def parse_tokens(body: bytes) -> Tokens:
    """The answer of a token endpoint (OpenID Connect Core 1.0, 3.1.3.3). Raises: Malformed."""
    document = json_object(body, "the token answer")
    id_token, access_token = document.get("id_token"), document.get("access_token")
    if not _is_visible(id_token):
        raise Malformed("the token answer has no ID token")
    return Tokens(id_token, access_token if _is_visible(access_token) else None)


def _is_visible(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value)


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str:
    """Over TLS, unless the issuer itself is not."""
    url = document.get(name)
    try:
        scheme = Origin.of(url).scheme if _is_visible(url) and "#" not in url else None
    except ValueError:
        scheme = None
    if not isinstance(url, str) or scheme is None:
        raise Malformed(f"the discovery document has no usable {name}")
    if scheme == "http" and Origin.of(issuer).scheme == "https":
        raise Malformed(f"the discovery document leads from https to plain http at {name}")
    return url
