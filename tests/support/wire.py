"""Requests that no client library would write, byte for byte, and every answer that came back."""

import http.client
import io
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass

LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response off the wire."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def converse(
    address: tuple[str, int], sent: bytes, *, hang_up: bool = False, trust: ssl.SSLContext | None = None
) -> list[Answer]:
    """Send bytes, then read answers until the server closes; `hang_up` ends our side first.

    A server that keeps the connection makes this wait: send `Connection: close` with the last request. Answers are
    framed by Content-Length, or have no body.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(address, timeout=LONGEST_WAIT))
        if trust:
            connection = stack.enter_context(trust.wrap_socket(connection, server_hostname=address[0]))
        connection.sendall(sent)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return _answers(_everything(connection))


def _everything(connection: socket.socket) -> bytes:
    received = bytearray()
    try:
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionResetError):
        # Silence and a reset end the conversation as a close does; what came before them counts.
        pass
    return bytes(received)


def _answers(received: bytes) -> list[Answer]:
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, _, fields = head.partition(b"\r\n")
        headers = http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))
        length = int(headers.get("content-length", "0"))
        found.append(Answer(int(status.split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found


def exchange(connection: socket.socket, sent: bytes) -> Answer | None:
    """Send bytes on a connection that goes on, and read one answer; None when the server has closed it."""
    connection.settimeout(LONGEST_WAIT)
    received = bytearray()
    try:
        connection.sendall(sent)
        while not _is_whole(bytes(received)):
            piece = connection.recv(65536)
            if not piece:
                return None
            received += piece
    except (BrokenPipeError, ConnectionResetError):
        return None
    return _answers(bytes(received))[0]


def _is_whole(received: bytes) -> bool:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return False
    fields = head.lower().partition(b"content-length:")[2]
    return len(rest) >= int(fields.partition(b"\r\n")[0] or 0)
