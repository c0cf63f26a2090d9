"""A server under test: in a thread of this process, with its own event loop and a handler for each path."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, cast

import uvicorn

from registry.server.access_log import AccessLog
from registry.server.limits import Limits
from registry.server.protocol import HttpProtocol, protocol
from registry.server.sockets import listen

from .wire import PATIENCE, Wire

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Loop = Literal["uvloop", "asyncio"]
