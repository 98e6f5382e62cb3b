"""Flux' source and kustomize controllers as processes, and a Git repository for them, which git serves over HTTP."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from devcluster import binaries
from devcluster.backends import local
from devcluster.progress import Progress

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "tests" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
GIT_SECONDS = 30


@dataclass(frozen=True)
class Repository:
    """A Git repository with one branch, `main`."""

    folder: Path
    url: str

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write files, or remove those that are None, and commit. Returns the revision."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message=change")
        return self.head()

    def revert(self) -> str:
        """Undo the last commit by another one. Returns the revision."""
        self._git("revert", "--no-edit", "HEAD")
        return self.head()

    def head(self) -> str:
        """The revision of the last commit, as Flux reports it."""
        return f"main@sha1:{self._git('rev-parse', 'HEAD').strip()}"

    def _git(self, *words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env={**os.environ, **GIT},
            stdout=subprocess.PIPE,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        ).stdout


@contextmanager
def repository(folder: Path) -> Iterator[Repository]:
    """An empty repository in a new folder, served by `git http-backend`."""
    subprocess.run(
        ["git", "init", "--quiet", "--initial-branch=main", str(folder)],
        env={**os.environ, **GIT},
        timeout=GIT_SECONDS,
        check=True,
    )

    class Handler(BaseHTTPRequestHandler):
        """CGI, as git(1) expects it: https://git-scm.com/docs/git-http-backend."""

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            asked = {
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROJECT_ROOT": str(folder.parent),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REMOTE_ADDR": self.client_address[0],
                "REQUEST_METHOD": self.command,
            }
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked["CONTENT_LENGTH"] = str(len(body))
            done = subprocess.run(
                ["git", "http-backend"],
                env={**os.environ, **GIT, **asked},
                input=body,
                stdout=subprocess.PIPE,
                timeout=GIT_SECONDS,
                check=True,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((local.HOST, 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Repository(folder, f"http://{local.HOST}:{server.server_address[1]}/{folder.name}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def controllers(folder: Path, kubeconfig: Path, namespace: str) -> Iterator[None]:
    """Both controllers, for one namespace."""
    binaries.ensure(binaries.FLUX, Progress())
    storage, *health = local.free_ports(1 + len(binaries.FLUX))
    (folder / "artifacts").mkdir()
    address = f"{local.HOST}:{storage}"
    more = {
        "source-controller": (
            f"--storage-path={folder / 'artifacts'}", f"--storage-addr={address}", f"--storage-adv-addr={address}",
        )
    }  # fmt: skip
    environment = {"KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": namespace}
    with ExitStack() as stack:
        for program, port in zip(binaries.FLUX, health, strict=True):
            addresses = ("--metrics-addr=0", f"--health-addr={local.HOST}:{port}")
            words = ("--watch-all-namespaces=false", "--requeue-dependency=2s", *addresses, *more.get(program, ()))
            command = (str(binaries.path_of(program)), *words)
            server = local.Server(command, environment, folder / f"{program}.log", partial(is_ready, port))
            stack.callback(server.stop)
            server.start()
        yield


def is_ready(port: int) -> bool:
    """Whether a controller says so."""
    try:
        with urllib.request.urlopen(f"http://{local.HOST}:{port}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
