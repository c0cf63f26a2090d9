"""nginx in turns before several servers, as a load balancer that knows nothing of sessions."""

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.server import HOST, RunningServer, free_port
from tests.system.require import require
from tests.system.waiting import eventually

# What one server refuses or drops before it answered goes to the next, but never the body of a push once it is under
# way: that the client has to try again.
CONFIGURATION = """
daemon off;
{user}
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    {places}
    upstream registry {{
        {servers}
    }}
    server {{
        listen {host}:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://registry;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_next_upstream error timeout;
            proxy_connect_timeout 2s;
        }}
    }}
}}
"""
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def balancing(folder: Path, servers: Sequence[RunningServer]) -> Iterator[str]:
    """Address and port under which all of them answer in turn."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    require(program, "the program nginx is not installed")
    port = free_port()
    (folder / "nginx.conf").write_text(
        CONFIGURATION.format(
            user="user root;",
            folder=folder,
            places="\n    ".join(f"{kind}_temp_path {folder}/{kind};" for kind in PLACES),
            servers="\n        ".join(f"server {server.host} max_fails=1 fail_timeout=1s;" for server in servers),
            host=HOST,
            port=port,
        )
    )
    command = [str(program), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    with subprocess.Popen(command) as process:
        try:
            eventually("nginx answers", lambda: _answers(port))
            yield f"{HOST}:{port}"
        finally:
            process.send_signal(signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/healthz", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
