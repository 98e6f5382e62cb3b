"""Requests, made by running kubectl: so the user's context, credential plugins and proxies hold here too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO

from tts_operator.cli import view
from tts_operator.cli.refused import ConflictError, RefusedError, UnreachableError
from tts_operator.cli.view import TTSSERVICES, Json, Revision, Service

REQUEST_SECONDS = 20
"""For one request; kubectl makes a few where it does not know the cluster yet."""
CALL_SECONDS = 60.0
"""For one run of kubectl: also for somebody who logs in through a credential plugin."""
MISSING = (
    "kubectl is not on the PATH, and this plugin makes its requests by it. "
    "Install it: https://kubernetes.io/docs/tasks/tools/"
)
NO_CRD = (
    "this cluster knows no TTSServices. Is it the right one (`kubectl config current-context`)? "
    "If so, install the operator: `kubectl apply --server-side -f install.yaml`"
)
COMPLAINTS = ("Error from server", "error:", "Unable to connect", "The connection to the server", "No resources found")
"""How kubectl begins to say that it failed. The rest, such as a credential plugin's words, is for the user at once."""
LOG_LINE = re.compile(r"[EWIF]\d{4} ")
"""kubectl logs each try of a request that fails, and then complains."""


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl with the global flags that the user gave to the plugin."""

    flags: tuple[str, ...] = ()
    seconds: float = CALL_SECONDS

    def service(self, name: str) -> Service:
        """Read a TTSService. Raises RefusedError where there is none of that name."""
        text = self.run("get", TTSSERVICES, name, "--ignore-not-found", "--output=json")
        if not text.strip():
            raise RefusedError(self._unknown(name))
        return view.service(json.loads(text))

    def revisions(self, name: str) -> list[Revision]:
        """Read the revisions of a TTSService, the oldest first."""
        selector = f"app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=tts-operator"
        text = self.run("get", "controllerrevisions.apps", f"--selector={selector}", "--output=json")
        return view.revisions(json.loads(text)["items"])

    def annotate(self, service: Service, key: str, value: str | None) -> None:
        """Set an annotation, or remove it. Raises ConflictError where the service has changed since it was read."""
        pair = f"{key}-" if value is None else f"{key}={value}"
        version = f"--resource-version={service.resource_version}"
        self.run("annotate", TTSSERVICES, service.name, pair, "--overwrite", version)

    def patch(self, name: str, body: Json) -> Json:
        """Change some fields, and return the whole object as it is now."""
        patch = f"--patch={json.dumps(body)}"
        changed: Json = json.loads(self.run("patch", TTSSERVICES, name, "--type=merge", patch, "--output=json"))
        return changed

    def run(self, *arguments: str) -> str:
        """Run kubectl and return what it prints. Raises UnreachableError with its words where it fails."""
        command = ["kubectl", *arguments, *self.flags, f"--request-timeout={REQUEST_SECONDS}s"]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        except OSError as error:
            raise UnreachableError(MISSING) from error
        said = _finish(process, self.seconds)
        if process.returncode == 0:
            return said.output
        if "(Conflict)" in said.words:
            raise ConflictError(said.words)
        if "doesn't have a resource type" in said.words:
            raise UnreachableError(NO_CRD)
        raise UnreachableError(said.words or f"kubectl {arguments[0]} ended with exit code {process.returncode}")

    def _unknown(self, name: str) -> str:
        try:
            names = [each.rpartition("/")[2] for each in self.run("get", TTSSERVICES, "--output=name").split()]
        except UnreachableError:  # one may be read, and not all
            names = []
        there = f"there are: {', '.join(sorted(names))}" if names else "see `kubectl get tts -A`, and name it with -n"
        return f"there is no TTSService {name!r} in this namespace; {there}"


@dataclass
class _Said:
    """What one run of kubectl has printed, and its complaints."""

    output: str = ""
    words: str = ""


def _finish(process: subprocess.Popen[str], seconds: float) -> _Said:
    """Read both streams to their ends. Raises UnreachableError after `seconds`.

    What kubectl has started may hold the streams longer than kubectl lives: so nothing waits for them without limit.
    """
    said = _Said()
    readers = [
        threading.Thread(target=read, args=(stream, said), daemon=True)
        for read, stream in ((_read_output, process.stdout), (_read_complaints, process.stderr))
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        words = said.words or "Is the cluster reachable?"
        raise UnreachableError(f"kubectl has not answered within {seconds:g} s. {words}") from None
    except BaseException:  # Ctrl-C
        process.kill()
        process.wait()
        raise
    for reader in readers:
        reader.join(timeout=seconds)
    return said


def _read_output(stream: IO[str], said: _Said) -> None:
    with stream:
        said.output = stream.read()


def _read_complaints(stream: IO[str], said: _Said) -> None:
    with stream:
        for line in stream:
            if said.words or line.startswith(COMPLAINTS):
                said.words = f"{said.words}\n{line.strip()}".strip()
            elif not LOG_LINE.match(line):
                sys.stderr.write(line)
                sys.stderr.flush()
