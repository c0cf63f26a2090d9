"""deploy/nginx.conf in front of the registry: the file that an operator copies, with a test's names in it."""

import json
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.client import RegistryClient
from tests.support.images import OCTETS, random_bytes, tiny_image
from tests.support.login import BearerLogin, Challenge
from tests.support.server import PROJECT, RunningServer, free_port
from tests.support.tls import Certificate
from tests.system.require import require
from tests.system.waiting import eventually

MEBIBYTE = 1 << 20
NAME = "system/behind-nginx"


@dataclass(frozen=True)
class Proxy:
    """Where nginx serves `server`."""

    url: str
    certificate: Certificate
    server: RunningServer

    def http(self, auth: httpx.Auth | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=auth, verify=self.certificate.trust(), trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    require(program, "the program nginx is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    url, certificate = f"https://127.0.0.1:{port}", Certificate.make(folder / "tls")
    with RunningServer(folder / "data", {"public_url": url, "trusted_proxies": "127.0.0.1"}, workers=2) as server:
        found = Proxy(url, certificate, server)
        (folder / "nginx.conf").write_text(_configuration(found, port))
        command = (str(program), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log"))
        with subprocess.Popen(command) as process:
            try:
                eventually("nginx answers", lambda: process.poll() is not None or _answers(found))
                assert process.poll() is None, (folder / "log").read_text()
                yield found
            finally:
                process.send_signal(signal.SIGTERM)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[RegistryClient]:
    with proxy.http(BearerLogin(*proxy.server.admin)) as http:
        yield RegistryClient(http)


def test_an_image_pushed_through_the_proxy_comes_back_as_it_was(client: RegistryClient) -> None:
    image = tiny_image("behind nginx", layers=3)
    client.push_image(NAME, image, "1")
    assert client.manifest(NAME, "1").content == image.manifest
    assert [client.blob(NAME, blob.digest).content for blob in image.blobs] == [blob.data for blob in image.blobs]


def test_a_range_of_a_large_blob_passes_the_proxy(client: RegistryClient) -> None:
    image = tiny_image("ranges behind nginx")
    client.push_image(NAME, image, "2")
    layer = image.blobs[-1]
    answer = client.blob(NAME, layer.digest, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, layer.data[10:20])


def test_the_challenge_names_the_token_service_as_clients_reach_it(proxy: Proxy) -> None:
    with proxy.http() as http:
        assert Challenge.of(http.get("/v2/")).parameters["realm"] == f"{proxy.url}/token"


def test_the_registry_knows_where_a_client_comes_from_whatever_it_says_itself(proxy: Proxy) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.5", verify=proxy.certificate.trust())
    forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "ftp"}
    with httpx.Client(base_url=proxy.url, transport=transport, trust_env=False) as http:
        http.get("/v2/from-elsewhere/tags/list", headers=forged)

    def told() -> list[str]:
        lines = (line for line in proxy.server.output().splitlines() if "/v2/from-elsewhere/" in line)
        return [json.loads(line)["remote"] for line in lines]

    eventually("the access log tells of it", lambda: told() == ["127.0.0.5"])


def test_the_registry_receives_a_layer_while_the_client_is_still_sending_it(
    proxy: Proxy, client: RegistryClient
) -> None:
    location = client.start_upload(NAME).headers["location"]
    go_on = threading.Event()

    def body() -> Iterator[bytes]:
        yield random_bytes("slow", 4 * MEBIBYTE)
        assert go_on.wait(30)

    def send() -> None:
        # Basic, because the bearer login of these tests reads a body to its end before it sends anything.
        with proxy.http(httpx.BasicAuth(*proxy.server.admin)) as http:
            http.patch(location, content=body(), headers={"Content-Type": OCTETS})

    sender = threading.Thread(target=send)
    before = _received(proxy)
    sender.start()
    try:
        # A proxy that buffers would keep all of it until the end.
        eventually("bytes arrive at the registry", lambda: _received(proxy) > before)
    finally:
        go_on.set()
        sender.join()
    assert client.upload_status(location).headers["range"] == f"0-{4 * MEBIBYTE - 1}"


def _configuration(proxy: Proxy, port: int) -> str:
    """The file with this test's ports and certificate, as nginx includes it."""
    site = (PROJECT / "deploy" / "nginx.conf").read_text()
    for pattern, wanted in {
        r"127\.0\.0\.1:5000": proxy.server.host,
        r"listen 443": f"listen 127.0.0.1:{port}",
        r"(?<=ssl_certificate     )\S+(?=;)": str(proxy.certificate.certificate),
        r"(?<=ssl_certificate_key )\S+(?=;)": str(proxy.certificate.key),
    }.items():
        site, count = re.subn(pattern, wanted, site)
        assert count == 1, f"{pattern} stands {count} times in deploy/nginx.conf"
    folder = Path(proxy.certificate.key).parents[1]
    places = (f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    http = "\n".join(["access_log off;", *places, site])
    return f"daemon off;\nuser root;\npid {folder}/pid;\nevents {{}}\nhttp {{\n{http}\n}}\n"


def _answers(proxy: Proxy) -> bool:
    try:
        with proxy.http() as http:
            return http.get("/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _received(proxy: Proxy) -> int:
    """Bytes that the registry has written."""
    return sum(path.stat().st_size for path in proxy.server.data.rglob("blobs/*/*"))
