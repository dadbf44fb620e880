"""Fetching from a real server on this machine: whole and right, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from calm_lm.data import registry
from calm_lm.data.download import fetch
from calm_lm.data.registry import Download, RemoteFile
from calm_lm.errors import CalmError
from calm_lm.files import sha256_bytes

CONTENT = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        name = self.path.rsplit("/", 1)[-1]
        if name.startswith("away"):
            self.send_response(302)
            self.send_header(
                "Location", {"away-ftp": "ftp://127.0.0.1/x", "away-http": "http://example.org/x"}.get(name, "/good")
            )
            self.end_headers()
        elif name.startswith("404"):
            self.send_error(404)
        else:
            body = {"long": CONTENT + b"x", "changed": b"x" + CONTENT[1:]}.get(name, CONTENT)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if name == "cut" else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def source_of(*urls: str):
    files = tuple(
        RemoteFile(f"deep/file-{at}", url, sha256_bytes(CONTENT), len(CONTENT)) for at, url in enumerate(urls)
    )
    return replace(registry.get("crehate"), address=Download(files))


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_fetches_shows_the_licence_and_does_nothing_the_second_time(server, tmp_path):
    told: list[str] = []
    source = source_of(f"{server}/good", f"{server}/away")
    folder = fetch(source, tmp_path, offline=False, notify=told.append)
    assert folder == tmp_path / "crehate"
    assert files_in(tmp_path) == ["crehate/deep/file-0", "crehate/deep/file-1"]
    assert (folder / "deep" / "file-1").read_bytes() == CONTENT
    assert "CC-BY-SA-4.0" in told[0]
    assert "2 files, 0.5 MB" in told[1]
    asked = len(Handler.asked)
    fetch(source, tmp_path, offline=True, notify=told.append)
    assert len(Handler.asked) == asked
    assert told[-1].startswith("already complete")


@pytest.mark.parametrize(
    ("name", "code"),
    [("long", "D40"), ("changed", "D40"), ("cut", "D40"), ("404", "D41"), ("away-ftp", "D42"), ("away-http", "D42")],
)
def test_a_wrong_file_never_gets_its_name(server, tmp_path, name, code):
    with pytest.raises(CalmError) as caught:
        fetch(source_of(f"{server}/good", f"{server}/{name}"), tmp_path, offline=False, notify=lambda line: None)
    assert caught.value.code == code
    assert files_in(tmp_path) == ["crehate/deep/file-0"]


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/hostname", "//x", "data:,x"])
def test_only_https(tmp_path, url):
    with pytest.raises(CalmError, match="D42"):
        fetch(source_of(url), tmp_path, offline=False, notify=lambda line: None)
    assert files_in(tmp_path) == []


def test_no_answer(server, tmp_path):
    port = int(server.rsplit(":", 1)[1])
    closed = f"http://127.0.0.1:{port + 1 if port < 65000 else port - 1}/x"
    with pytest.raises(CalmError, match="D41"):
        fetch(source_of(closed), tmp_path, offline=False, notify=lambda line: None)


def test_offline_asks_nobody(server, tmp_path):
    with pytest.raises(CalmError, match="D37"):
        fetch(source_of(f"{server}/good"), tmp_path, offline=True, notify=lambda line: None)
    assert Handler.asked == []


def test_a_differing_file_is_left_alone(server, tmp_path):
    path = tmp_path / "crehate" / "deep" / "file-0"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(CalmError, match="D39"):
        fetch(source_of(f"{server}/good"), tmp_path, offline=False, notify=lambda line: None)
    assert path.read_text() == "mine"
    assert Handler.asked == []


def test_a_file_in_the_way_of_the_folder(server, tmp_path):
    (tmp_path / "crehate").write_text("a file")
    with pytest.raises(CalmError, match="F01"):
        fetch(source_of(f"{server}/good"), tmp_path, offline=False, notify=lambda line: None)


def test_sets_without_an_address(tmp_path):
    for name in ("cultureatlas", "univar"):
        with pytest.raises(CalmError, match="D38") as caught:
            fetch(registry.get(name), tmp_path, offline=False, notify=lambda line: None)
        assert registry.get(name).obtain in str(caught.value)
