"""What every page keeps to: the door, its size, its headers, words only in one language."""

import json
import re
import time

import httpx
import pytest

PAGES = [
    "/",
    "/scan",
    "/tags",
    "/gateways",
    "/history",
    "/resolve",
    "/things/88.888.101/DEV.DCM2500.01",
]
PAGE_BYTES = 60_000


@pytest.fixture(scope="module")
def client(console: str):
    with httpx.Client(base_url=console) as client:
        body = {"account": "admin", "password": "admin-password"}
        assert client.post("/api/session", json=body).status_code == 200
        yield client


@pytest.mark.parametrize("path", [*PAGES, "/nothing/here"])
def test_pages_send_strangers_to_the_login(console: str, path: str) -> None:
    reply = httpx.get(console + path)
    assert reply.status_code == 303
    assert reply.headers["location"].startswith("/login?next=%2F")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_small_and_holds_no_rows(client: httpx.Client, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 200
    assert len(reply.content) <= PAGE_BYTES
    assert reply.text.count("DEV.MC630") == 0
    assert "http://" not in re.sub(r"http://(127\.0\.0\.1|www\.w3\.org)", "", reply.text)
    assert "https://" not in reply.text
    policy = reply.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_words_follow_the_cookie(client: httpx.Client) -> None:
    for lang, word in (("zh", "综合总览"), ("en", "Overview")):
        text = client.get("/", headers={"Cookie": f"mw_lang={lang}; {_session(client)}"}).text
        config = re.search(r'id="mw-config" type="application/json">(.*?)</script>', text)
        assert config is not None
        data = json.loads(config[1])
        assert data["lang"] == lang
        assert data["texts"]["nav.overview"] == word


def _session(client: httpx.Client) -> str:
    return f"mw_session={client.cookies['mw_session']}"


def test_static_files_may_be_kept_for_ever(client: httpx.Client) -> None:
    url = re.search(r'href="([^"]+mingwu\.css)"', client.get("/").text)
    assert url is not None
    reply = client.get(url[1])
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["content-type"].startswith("text/css")


def test_unknown_names_answer_404(client: httpx.Client) -> None:
    assert client.get("/things/88.888.101/NOPE").status_code == 404
    assert client.get("/nothing").status_code == 404
    assert client.get("/docs").status_code == 404


def test_a_page_leaves_nothing_behind(client: httpx.Client) -> None:
    """Pages that are fetched and never opened do not pile up in the answer time."""
    began = time.perf_counter()
    for _ in range(20):
        assert client.get("/tags").status_code == 200
    assert time.perf_counter() - began < 20
