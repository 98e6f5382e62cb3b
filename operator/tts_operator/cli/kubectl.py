"""Makes requests by running kubectl, and so uses the user's context, credential plugins, and proxies."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from tts_operator.cli import view
from tts_operator.cli.refused import ConflictError, RefusedError, UnreachableError
from tts_operator.cli.view import TTSSERVICES, Revision, Service
from tts_operator.json_object import Json

REQUEST_SECONDS = 20
"""Limit for one request; kubectl makes several if it has not cached the cluster's API yet."""
CALL_SECONDS = 60.0
"""Limit for one run of kubectl, in seconds: long enough to log in through a credential plugin."""
MISSING = (
    "kubectl is not on the PATH; this plugin needs it for its requests. "
    "To install it: https://kubernetes.io/docs/tasks/tools/"
)
NO_CRD = (
    "this cluster has no TTSService CRD. Check that it is the right cluster (`kubectl config current-context`). "
    "If so, install the operator: `kubectl apply --server-side -f install.yaml`"
)
ERROR_PREFIXES = (
    "Error from server",
    "error:",
    "Unable to connect",
    "The connection to the server",
    "No resources found",
)
"""How kubectl's error messages begin. Other output, such as a credential plugin's, goes to the user at once."""
LOG_LINE = re.compile(r"[EWIF]\d{4} ")
"""kubectl logs each failed attempt before it prints the error."""


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl with the global flags that the user passed to the plugin."""

    flags: tuple[str, ...] = ()
    seconds: float = CALL_SECONDS

    def service(self, name: str) -> Service:
        """Read a TTSService. Raises RefusedError if it does not exist."""
        return view.service(self.body(name))

    def body(self, name: str) -> Json:
        """Read a TTSService as it is. Raises RefusedError if it does not exist."""
        text = self.run("get", TTSSERVICES, name, "--ignore-not-found", "--output=json")
        if not text.strip():
            raise RefusedError(self._unknown(name))
        return parsed(text)

    def only_service(self) -> str:
        """Return the name of the only TTSService. Raises RefusedError if the namespace has none, or several."""
        names = self.names()
        if not names:
            raise RefusedError(
                "there is no TTSService in this namespace; run `kubectl get tts -A`, and use -n NAMESPACE"
            )
        if len(names) > 1:
            raise RefusedError(f"there are several TTSServices: {', '.join(names)}. Choose one with --service")
        return names[0]

    def namespace(self) -> str:
        """Return the namespace that kubectl uses."""
        given = next((each.partition("=")[2] for each in self.flags if each.startswith("--namespace=")), "")
        return given or self.run("config", "view", "--minify", "--output=jsonpath={..namespace}").strip() or "default"

    def revisions(self, name: str) -> list[Revision]:
        """Read the revisions of a TTSService, oldest first."""
        selector = f"app.kubernetes.io/instance={name},app.kubernetes.io/managed-by=tts-operator"
        return view.revisions(self.json("get", "controllerrevisions.apps", f"--selector={selector}")["items"])

    def annotate(self, service: Service, key: str, value: str | None) -> None:
        """Set an annotation, or remove it. Raises ConflictError if the service has changed since it was read."""
        pair = f"{key}-" if value is None else f"{key}={value}"
        version = f"--resource-version={service.resource_version}"
        self.run("annotate", TTSSERVICES, service.name, pair, "--overwrite", version)

    def patch(self, name: str, body: Json) -> Json:
        """Patch the object and return the result."""
        patch = f"--patch={json.dumps(body)}"
        return self.json("patch", TTSSERVICES, name, "--type=merge", patch)

    def json(self, *arguments: str, stdin: str | None = None) -> Json:
        """Run kubectl with `-o json` and return the object. Raises UnreachableError."""
        return parsed(self.run(*arguments, "--output=json", stdin=stdin))

    def raw(self, path: str) -> Json:
        """Read a path of the API server: the answer as it sends it, which kubectl need not take apart."""
        return parsed(self.run("get", f"--raw={path}"))

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return its output. Raises UnreachableError with its error message if it fails."""
        streams = self.attempt(*arguments, stdin=stdin)
        if streams.code == 0:
            return streams.output
        if "(Conflict)" in streams.errors:
            raise ConflictError(streams.errors)
        if "doesn't have a resource type" in streams.errors:
            raise UnreachableError(NO_CRD)
        raise UnreachableError(streams.errors or f"kubectl {arguments[0]} exited with code {streams.code}")

    def attempt(self, *arguments: str, stdin: str | None = None) -> Streams:
        """Run kubectl and return what it printed, also if it fails. Raises UnreachableError if it does not end."""
        command = ["kubectl", *arguments, *self.flags, f"--request-timeout={REQUEST_SECONDS}s"]
        source = None if stdin is None else subprocess.PIPE  # a credential plugin may ask for a password
        try:
            process = subprocess.Popen(
                command,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise UnreachableError(MISSING) from error
        return _finish(process, self.seconds, stdin)

    def names(self) -> list[str]:
        """Return the names of the TTSServices in the namespace, sorted."""
        return sorted(each.rpartition("/")[2] for each in self.run("get", TTSSERVICES, "--output=name").split())

    def _unknown(self, name: str) -> str:
        try:
            names = self.names()
        except UnreachableError:  # the user may have `get` but not `list`
            names = []
        there = f"found: {', '.join(names)}" if names else "run `kubectl get tts -A`, and use -n NAMESPACE"
        return f"there is no TTSService {name!r} in this namespace; {there}"


@dataclass
class Streams:
    """The output of one run of kubectl, and its error messages."""

    output: str = ""
    errors: str = ""
    code: int = 0


def parsed(text: str) -> Json:
    """Return a JSON object. Raises UnreachableError if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnreachableError("kubectl's answer is not JSON. Run the command again; `kubectl get tts` must work, too")
    return found


def _finish(process: subprocess.Popen[str], seconds: float, stdin: str | None) -> Streams:
    """Read both streams to the end. Raises UnreachableError after `seconds`.

    A child process of kubectl may keep the streams open after kubectl has exited, so every wait has a limit.
    """
    streams = Streams()
    readers = [
        threading.Thread(target=read, args=(stream, streams), daemon=True)
        for read, stream in ((_read_output, process.stdout), (read_errors, process.stderr))
    ]
    for reader in readers:
        reader.start()
    if process.stdin:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(stdin or "")
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        errors = streams.errors or "Check that the cluster is reachable"
        raise UnreachableError(f"kubectl did not answer within {seconds:g} s. {errors}") from None
    except BaseException:  # Ctrl-C
        process.kill()
        process.wait()
        raise
    for reader in readers:
        reader.join(timeout=seconds)
    streams.code = process.returncode
    return streams


def _read_output(stream: IO[str], streams: Streams) -> None:
    with stream:
        streams.output = stream.read()


def read_errors(stream: IO[str], streams: Streams) -> None:
    """Read kubectl's error messages to the end. What a credential plugin writes goes to the user at once."""
    with stream:
        for line in stream:
            if streams.errors or line.startswith(ERROR_PREFIXES):
                streams.errors = f"{streams.errors}\n{line.strip()}".strip()
            elif not LOG_LINE.match(line):
                sys.stderr.write(line)
                sys.stderr.flush()
