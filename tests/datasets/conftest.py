from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own, and no mirror."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("DLRUN_DATA", str(folder))
    monkeypatch.delenv("DLRUN_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dlrun-data")


@pytest.fixture
def real(mirror: object, session_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real files from the mirror, in a cache that the session shares."""
    monkeypatch.setenv("DLRUN_DATA", str(session_cache))


class Server:
    """An http server on loopback. content: path to bytes; short: paths sent only in part; hang: paths that
    stop half-way until `release` is set; requests: the paths asked for."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.short: set[str] = set()
        self.hang: set[str] = set()
        self.half_sent, self.release = threading.Event(), threading.Event()
        self.requests: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                content = outer.content.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                if self.path in outer.hang:
                    outer.half_sent.set()
                    outer.release.wait(30)
                    return
                if self.path not in outer.short:
                    self.wfile.write(content[half:])

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()
