"""What helm lint, kubeconform, kube-score, and promtool find in the chart, install.yaml, and examples: `make lint`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from devcluster import binaries
from devcluster.addons import crds
from devcluster.errors import DevclusterError
from devcluster.host import debian, shell
from devcluster.layout import cache_home
from devcluster.progress import Progress
from release import schemas

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts/tts-operator"
VALUES = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
"""The values to render the chart with, besides the default."""
KUBERNETES = binaries.MODULES["kubernetes"].folder
CODE = Path(schemas.__file__)
_OK = 10
"""kube-score's best grade."""
OTHER_KINDS = (
    "podmonitors.monitoring.coreos.com",
    "servicemonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "applications.argoproj.io",
    "applicationsets.argoproj.io",
    "appprojects.argoproj.io",
    "gitrepositories.source.toolkit.fluxcd.io",
    "ocirepositories.source.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
)
"""The CustomResourceDefinitions of other projects of which the chart or an example creates objects."""
OTHER_SCHEMAS = tuple((ROOT / "release/kinds").glob("*.json"))
"""Schemas of kinds whose CustomResourceDefinitions are in no Go module that can be had."""
EXAMPLES = (
    *(ROOT / "examples").glob("*.yaml"),
    *(ROOT / "examples/backends").glob("*/*.yaml"),
    *(ROOT / "integrations/flux").glob("*.yaml"),
    *(ROOT / "integrations/argocd" / f"{name}.yaml" for name in ("operator", "services", "tenants")),
)
"""Manifests for people to apply, of which kubeconform knows all kinds."""
SCORED = ("install", "everything")
"""What kube-score judges: install.yaml, and the values that turn on what is off by default."""
EXCEPTIONS = {
    "container-resources": "no CPU limit: throttling would delay the repair of services and the fencing of nodes",
    "container-ephemeral-storage-request-and-limit": "the root file system is read-only, and /tmp is 16 MiB of memory",
    "container-image-pull-policy": "the tags of releases do not change, and an image that is present needs no registry",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread the replicas over zones and nodes",
    "pod-networkpolicy": "off by default: it has to name the ports of the API server, which differ between clusters",
}
"""The checks of kube-score that fail, and why that is right."""


def main() -> int:
    """Print the findings. Return the exit code."""
    progress = Progress()
    try:
        binaries.ensure(binaries.CHARTS, progress)
        found = [*findings(progress)]
    except DevclusterError as error:
        progress.say(f"error: {error}")
        return 1
    for each in found:
        print(each)
    if not found:
        print("The chart: no findings")
    return 1 if found else 0


def findings(progress: Progress) -> Iterator[str]:
    """Yield what is wrong with the chart and with install.yaml."""
    with tempfile.TemporaryDirectory(prefix="tts-charts-") as scratch:
        rendered = {"install": ROOT / "install.yaml"}
        for name, settings in {
            "default": (),
            **{path.stem.removesuffix("-values"): ("--values", path) for path in VALUES},
        }.items():
            yield from _helm_lint(name, settings)
            rendered[name] = Path(scratch) / f"{name}.yaml"
            rendered[name].write_text(_helm_template(settings))
        yield from kubeconform([*rendered.values(), *EXAMPLES], schemas_folder(progress))
        yield from kube_score([rendered[name] for name in SCORED])
        yield from promtool(rendered.values(), progress)


def _helm_lint(name: str, settings: Sequence[str | Path]) -> Iterator[str]:
    done = _run("helm", "lint", "--strict", "--quiet", CHART, *settings)
    if done.returncode:
        yield f"helm lint, with the values {name}: {(done.stdout + done.stderr).strip()}"


def _helm_template(settings: Sequence[str | Path]) -> str:
    options = ("--namespace=tts-operator-system", f"--kube-version={binaries.MODULES['kubernetes'].version()}")
    done = _run("helm", "template", "tts-operator", CHART, *options, *settings)
    if done.returncode:
        raise DevclusterError(done.stderr.strip())
    return done.stdout


def kubeconform(manifests: Iterable[Path], folder: Path) -> Iterator[str]:
    """Yield what does not conform to the schemas in the folder."""
    location = f"{folder}/{schemas.NAME}"
    done = _run("kubeconform", "-strict", "-output=json", f"-schema-location={location}", *manifests)
    for each in _json(done)["resources"] or ():
        said = " ".join(each["msg"].split())
        yield f"kubeconform: {Path(each['filename']).stem}: {each['kind']} {each['name']}: {said}"


def kube_score(manifests: Iterable[Path]) -> Iterator[str]:
    """Yield the checks that fail, except EXCEPTIONS, and the exceptions that nothing needs any more."""
    unused = dict(EXCEPTIONS)
    for manifest in manifests:
        done = _run("kube-score", "score", "--output-format=json", f"--kubernetes-version={_minor_version()}", manifest)
        for scored in _json(done) or ():
            for check in scored["checks"]:
                if check["skipped"] or check["grade"] >= _OK:
                    continue
                unused.pop(check["check"]["id"], None)
                if check["check"]["id"] not in EXCEPTIONS:
                    said = "; ".join(comment["summary"] for comment in check["comments"] or ())
                    yield f"kube-score: {manifest.stem}: {scored['object_name']}: {check['check']['id']}: {said}"
    for name in unused:
        yield f"kube-score: {name} does not fail any more: remove it from EXCEPTIONS in release/chart_lint.py"


def promtool(manifests: Iterable[Path], progress: Progress) -> Iterator[str]:
    """Yield what Debian's promtool finds in the rules of PrometheusRules."""
    rules = {
        f"{path.stem}: PrometheusRule {body['metadata']['name']}": body["spec"]
        for path in manifests
        if "\nkind: PrometheusRule\n" in (text := path.read_text())
        for body in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if body and body["kind"] == "PrometheusRule"
    }
    if rules:
        debian.ensure([debian.Requirement("promtool", "prometheus")], progress)
    for name, spec in rules.items():
        done = shell.run(["promtool", "check", "rules", "/dev/stdin"], stdin=yaml.safe_dump(spec), check=False)
        if done.returncode:
            yield f"promtool: {name}: {' '.join(done.stderr.split())}"


def _minor_version() -> str:
    return ".".join(binaries.MODULES["kubernetes"].version().split(".")[:2])


def schemas_folder(progress: Progress) -> Path:
    """Return the folder of schemas. It is written once for each version of their sources."""
    own = (ROOT / "crds/tts-operator.io_ttsservices.yaml").read_text()
    sources = "\0".join(
        (own, *(path.read_text() for path in (KUBERNETES / "go.mod", crds.FOLDER / "go.mod", CODE, *OTHER_SCHEMAS)))
    )
    folder = cache_home() / "schemas" / hashlib.sha256(sources.encode()).hexdigest()[:12]
    if folder.exists():
        return folder
    module = binaries.MODULES["kubernetes"]
    with progress.step("write the schemas of all kinds for kubeconform"):
        source = binaries.sources(module.folder, [module.path], progress)[module.path]
        files = schemas.of_kubernetes(json.loads((source / "api/openapi-spec/swagger.json").read_text()))
        for crd in (yaml.load(own, Loader=yaml.CSafeLoader), *crds.definitions(progress, OTHER_KINDS)):
            files.update(schemas.of_crd(crd))
        files.update({path.name: json.loads(path.read_text()) for path in OTHER_SCHEMAS})
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            for name, schema in files.items():
                (Path(scratch) / name).write_text(json.dumps(schema))
            shutil.copytree(scratch, folder, dirs_exist_ok=True)
    return folder


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    """What a program has printed, or DevclusterError with what it says instead."""
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise DevclusterError(f"{Path(done.args[0]).name}: {(done.stderr or done.stdout).strip()}") from None


def _run(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return shell.run([binaries.path_of(program), *words], check=False)


if __name__ == "__main__":
    sys.exit(main())
