"""`kubectl tts version`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tts_operator import __version__
from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.services.logs import OPERATOR
from tts_operator.json_object import Json
from tts_operator.printable import one_line

SHOWN_MAX = 300


def run(kubectl: Kubectl, output: str | None, *, client: bool) -> int:
    """Print the versions. What cannot be read is told, and is no error."""
    body = {"plugin": __version__} if client else {"plugin": __version__, **cluster(kubectl)}
    if output:
        printing.document(body, output)
        return 0
    wide = max(len(name) for name in body)
    for name, value in body.items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name.ljust(wide)}  {one_line(text, SHOWN_MAX) or 'not installed'}")
    return 0


def cluster(kubectl: Kubectl) -> Json:
    """Return the versions in the cluster."""
    with ThreadPoolExecutor(2) as pool:
        version, images = pool.submit(_kubernetes, kubectl), pool.submit(_operators, kubectl)
        return {"operator": images.result(), "kubernetes": version.result()}


def _kubernetes(kubectl: Kubectl) -> str:
    try:
        return str(kubectl.json("version").get("serverVersion", {}).get("gitVersion", "unknown"))
    except UnreachableError as error:
        return f"unknown: {error}"


def _operators(kubectl: Kubectl) -> list[str]:
    """Return the images of the operators."""
    try:
        found = kubectl.json("get", "deployments.apps", f"--selector={OPERATOR}", "--all-namespaces").get("items") or []
    except UnreachableError as error:
        return [f"unknown: {error}"]
    return [each["spec"]["template"]["spec"]["containers"][0].get("image", "unknown") for each in found]
