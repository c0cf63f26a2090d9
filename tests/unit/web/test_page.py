"""The page of the front door: what it says, and what it lets a browser do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import ClassVar
from xml.etree import ElementTree as ET

import httpx
import pytest
from starlette.applications import Starlette

from registry.web.page import routes
from registry.web.rendering import Pages

METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
PLAIN = "plain HTTP"


def ask(
    path: str = "/",
    host: str = "images.example.com",
    public_url: str | None = None,
    method: str = "GET",
    scheme: str = "https",
    version: str = "1.2.3",
) -> httpx.Response:
    app = Starlette(routes=routes(public_url, Pages(version)))

    async def answered() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://testserver") as client:
            return await client.request(method, path, headers={"Host": host})

    return asyncio.run(answered())


def commands(page: httpx.Response) -> list[str]:
    """What a reader copies."""
    return [re.sub("<[^>]+>", "", code) for code in re.findall(r"<pre><code>(.*?)</code></pre>", page.text, re.DOTALL)]


class Outline(HTMLParser):
    """Tags in order, and whether each that was opened was closed in turn."""

    VOID: ClassVar = {"meta", "link", "wbr", "rect", "path"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_says_how_to_push_to_the_host_that_was_asked() -> None:
    page = ask(host="images.example.com:5000")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert commands(page)[:4] == [
        "docker login images.example.com:5000",
        "docker tag hello images.example.com:5000/team/hello:1.0",
        "docker push images.example.com:5000/team/hello:1.0",
        "docker pull images.example.com:5000/team/hello:1.0",
    ]
    assert "Entrepot 1.2.3" in page.text


def test_what_is_put_into_a_page_is_escaped() -> None:
    assert "Entrepot &lt;b&gt;1" in ask(version="<b>1").text


def test_an_announced_url_wins_over_the_host_that_was_asked() -> None:
    page = ask(host="10.0.0.1:5000", public_url="https://images.example.com", scheme="http")
    assert commands(page)[0] == "docker login images.example.com"
    assert "10.0.0.1" not in page.text
    assert PLAIN not in page.text


def test_a_wrong_announced_url_is_refused_before_anything_is_served() -> None:
    with pytest.raises(ValueError, match="not the address"):
        routes("images.example.com", Pages("1.2.3"))


def test_a_host_that_is_none_does_not_come_back() -> None:
    page = ask(host='x"><script>alert(1)</script>')
    assert page.status_code == 200
    assert "alert" not in page.text
    assert commands(page)[0] == "docker login registry.example.com"


def test_who_comes_over_plain_http_from_elsewhere_is_told_what_docker_will_say() -> None:
    assert PLAIN in ask(host="images.example.com", scheme="http").text
    assert PLAIN not in ask(host="images.example.com", scheme="https").text
    assert PLAIN not in ask(host="localhost:5000", scheme="http").text


@pytest.mark.parametrize("path", ["/nothing", "/index.html", "/a/b/c", "/a//", "/%3Cscript%3E", "/v1/search"])
def test_other_paths_answer_that_nothing_is_there_and_do_not_repeat_themselves(path: str) -> None:
    page = ask(path)
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert "script" not in page.text
    assert 'href="/"' in page.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/nothing", "/", "/favicon.ico"])
def test_nothing_can_be_sent_here(method: str, path: str) -> None:
    assert ask(path, method=method).status_code in {404, 405}


@pytest.mark.parametrize("path", ["/", "/nothing", "/favicon.ico"])
def test_every_answer_is_closed_to_scripts_frames_and_guesses(path: str) -> None:
    headers = ask(path).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert path == "/favicon.ico" or "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_the_one_style_is_the_one_that_the_policy_names(path: str) -> None:
    page = ask(path)
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["Content-Security-Policy"].split("; ")
    assert " style=" not in page.text


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_a_page_stands_alone(path: str) -> None:
    tags = Outline(ask(path).text).tags
    assert not {"script", "img", "iframe", "form", "object"} & {tag for tag, _ in tags}
    fetched = [attributes["href"] for tag, attributes in tags if tag in {"link", "a"}]
    assert set(fetched) <= {"/favicon.ico", "/"}
    assert "url(" not in ask(path).text
    assert "@import" not in ask(path).text


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_a_page_can_be_read_without_seeing_it(path: str) -> None:
    tags = Outline(ask(path, scheme="http").text).tags
    names = [tag for tag, _ in tags]
    assert dict(tags)["html"]["lang"] == "en"
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    labels = [attributes["aria-labelledby"] for _, attributes in tags if "aria-labelledby" in attributes]
    assert set(labels) <= set(ids)
    assert all(attributes.get("aria-hidden") == "true" for tag, attributes in tags if tag == "svg")
    viewport = next(attributes for _, attributes in tags if attributes.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"  # and nobody is kept from enlarging it


def test_a_page_is_not_kept_by_a_proxy_and_the_icon_is_by_a_browser() -> None:
    assert ask("/").headers["Cache-Control"] == "no-store"
    icon = ask("/favicon.ico")
    assert icon.headers["Content-Type"] == "image/svg+xml"
    assert "max-age" in icon.headers["Cache-Control"]
    assert ET.fromstring(icon.content).tag == "{http://www.w3.org/2000/svg}svg"
    assert len(icon.content) < 1024


def test_a_head_request_answers_the_headers_alone() -> None:
    whole, head = ask("/"), ask("/", method="HEAD")
    assert head.content == b""
    assert head.headers == whole.headers
