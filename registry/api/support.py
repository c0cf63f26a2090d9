"""Determining Support (end-1): that there is a registry here, and that the caller is somebody to it."""

from __future__ import annotations

from typing import Final

from registry.api.errors import JSON
from registry.api.messages import Answer, Request
from registry.api.services import Services
from registry.oci.errors import Unauthorized

_YES: Final = Answer(200, (JSON, (b"content-length", b"2")), b"{}")


async def base(request: Request, _registry: Services) -> Answer:
    """Clients learn by its 401 how to sign in, and by its 200 that they have: 401, then, to a caller without a name."""
    if request.by.is_anonymous:
        raise Unauthorized
    return _YES
