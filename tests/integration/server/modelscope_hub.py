"""A hub on loopback that speaks the part of ModelScope's API by which its client lists and loads a model's files."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MODEL = "tests/voices"
REVISION = "v1.2.3"


class Hub(ThreadingHTTPServer):
    """Serves a folder as the one revision of the one model; breaks off the first answer of the file ``cut``."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.cut = ""
        self.may_send = threading.Event()
        """Cleared: a file that is asked for does not come until it is set."""
        self.may_send.set()
        self.loads: list[tuple[str, int]] = []  # file and first byte

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if asked.get("Revision") != REVISION or not url.path.startswith(f"/api/v1/models/{MODEL}/repo"):
            self._answer(404, json.dumps({"Code": 404, "Message": "not found", "Success": False}).encode())
        elif url.path.endswith("/repo/files"):
            self._answer(200, json.dumps({"Code": 200, "Success": True, "Data": {"Files": self._listing()}}).encode())
        else:
            self._send_file(asked["FilePath"])

    def _listing(self) -> list[dict[str, object]]:
        paths = [path for path in sorted(self.server.folder.rglob("*")) if path.is_file()]
        return [
            {
                "Path": str(path.relative_to(self.server.folder)),
                "Name": path.name,
                "Type": "blob",
                "Size": path.stat().st_size,
                "Sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "Revision": REVISION,
            }
            for path in paths
        ]

    def _send_file(self, name: str) -> None:
        body = (self.server.folder / name).read_bytes()
        given = self.headers.get("Range", "")
        first = int(given.removeprefix("bytes=").partition("-")[0] or 0) if given else 0
        self.server.loads.append((name, first))
        self.server.may_send.wait()
        headers = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"} if given else {}
        if self.server.cut == name:
            self.server.cut = ""
            self._answer(206 if given else 200, body[first:], headers, only=(len(body) - first) // 2)
            self.close_connection = True
            return
        self._answer(206 if given else 200, body[first:], headers)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, only: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:only])


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """Serve the folder until the end."""
    with Hub(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
