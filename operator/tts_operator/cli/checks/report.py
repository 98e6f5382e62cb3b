"""`kubectl tts report`: everything for a bug report in one archive, without secrets.

It never reads Secrets. Values of variables whose names suggest a secret, passwords in URLs, and tokens are replaced.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tts_operator import __version__
from tts_operator.cli.checks import cluster
from tts_operator.cli.checks.findings import findings
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.output import yaml_of
from tts_operator.cli.plugin import versions
from tts_operator.cli.redaction import Hidden, text_without_secrets, without_tokens
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.services.objects import KINDS
from tts_operator.cli.view import SHOWN_MAX, TTSSERVICES
from tts_operator.cli.wording import now, size
from tts_operator.json_object import Json
from tts_operator.printable import one_line

OPERATOR = cluster.OPERATOR
LINES = 2000
"""Of each container's log."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the object in an annotation, in which nothing would be hidden."""
NOTE = (
    "Made by `kubectl tts report`. Secrets were not read. Values of variables whose names suggest a secret, passwords "
    "in URLs, and tokens are hidden.\nLook through it before you share it: names of hosts, images, and namespaces are "
    "in it.\n"
)


def run(kubectl: Kubectl, name: str | None, output: Path | None) -> int:
    """Write the archive. Returns the exit code."""
    stamp = f"{now():%Y%m%d-%H%M%S}"
    file = output or Path(f"kubectl-tts-report-{stamp}.zip")
    if name:
        kubectl.service(name)  # refuses an unknown name, with those that exist
    try:
        with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
            _fill(archive, kubectl, name)
            names = archive.namelist()
    except FileExistsError:
        raise RefusedError(f"{str(file)!r} exists, and would be overwritten; choose another name") from None
    except OSError as error:
        raise RefusedError(f"cannot write {str(file)!r}: {error.strerror}") from None
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    print(f"Wrote {one_line(file, SHOWN_MAX)}, {len(names)} files, {size(file.stat().st_size)}:")
    print("\n".join(f"  {each}" for each in names))
    print("Secrets are left out. Look through it before you share it.")
    return 0


def _fill(archive: zipfile.ZipFile, kubectl: Kubectl, name: str | None) -> None:
    archive.writestr("README.txt", NOTE)
    with ThreadPoolExecutor(4) as pool:
        running = {path: pool.submit(_try, make) for path, make in _files(kubectl, name)}
        for path, each in running.items():
            archive.writestr(path, each.result())


def _files(kubectl: Kubectl, name: str | None) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield the files: the path, and what makes the content."""
    own = f"--selector=app.kubernetes.io/managed-by=tts-operator{f',app.kubernetes.io/instance={name}' if name else ''}"
    one = (name,) if name else ()
    yield "versions.json", lambda: _json({"plugin": __version__, **versions.cluster(kubectl)})
    yield "doctor.json", lambda: _json(_doctor(kubectl))
    yield "crd.yaml", lambda: _objects(kubectl, "customresourcedefinitions", TTSSERVICES)
    yield "ttsservices.yaml", lambda: _objects(kubectl, TTSSERVICES, *one)
    yield "revisions.yaml", lambda: _objects(kubectl, "controllerrevisions.apps", own)
    yield "objects.yaml", lambda: _objects(kubectl, ",".join(KINDS), own)
    yield "events.yaml", lambda: _objects(kubectl, "events")
    yield "nodes.yaml", lambda: _objects(kubectl, "nodes")
    yield (
        "operator.yaml",
        lambda: _objects(kubectl, "deployments.apps,configmaps", "--all-namespaces", f"--selector={OPERATOR}"),
    )
    yield "logs/operator.txt", lambda: _operator_logs(kubectl)
    yield "logs/pods.txt", lambda: _logs(kubectl, own)
    yield "logs/pods-before-their-last-restart.txt", lambda: _logs(kubectl, own, "--previous")


def _try(make: Callable[[], str]) -> str:
    """Make a file. What cannot be read leaves its reason."""
    try:
        return make()
    except (UnreachableError, RefusedError) as error:
        return f"not available: {text_without_secrets(str(error))}\n"


def _json(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _doctor(kubectl: Kubectl) -> list[Json]:
    found = findings(cluster.read(kubectl))
    return [{**dataclasses.asdict(each), "verdict": each.verdict.value} for each in found]


def _objects(kubectl: Kubectl, *words: str) -> str:
    found = kubectl.json("get", *words)
    return yaml_of(without_secrets(found))


def without_secrets(body: Json) -> Json:
    """Return objects without secrets, without copies of themselves, and without managed fields."""
    items = body["items"] if isinstance(body.get("items"), list) else [body]
    kept = [_trimmed(each) for each in items if each.get("kind") != "Secret"]
    found: list[Json] = without_tokens(Hidden().without(kept))
    return {"items": found} if isinstance(body.get("items"), list) else found[0]


def _trimmed(body: Mapping[str, Any]) -> Json:
    metadata = {name: value for name, value in (body.get("metadata") or {}).items() if name != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
    return {**body, "metadata": metadata}


def _operator_logs(kubectl: Kubectl) -> str:
    found = kubectl.json("get", "deployments.apps", f"--selector={OPERATOR}", "--all-namespaces").get("items") or []
    texts = []
    for each in found:
        namespace = each["metadata"]["namespace"]
        flags = tuple(flag for flag in kubectl.flags if not flag.startswith("--namespace="))
        there = dataclasses.replace(kubectl, flags=(*flags, f"--namespace={namespace}"))
        texts.append(_logs(there, f"--selector={OPERATOR}"))
    return "\n".join(texts) or "there is no operator\n"


def _logs(kubectl: Kubectl, selector: str, *words: str) -> str:
    return text_without_secrets(
        kubectl.run("logs", selector, "--prefix", "--all-containers", f"--tail={LINES}", "--ignore-errors", *words)
    )
