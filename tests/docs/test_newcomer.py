"""Somebody new follows the README and the pages that it links to, in each language, on a machine without kubectl.

From a clone in an empty directory to a text of their own, a canary, and dashboards that show it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.figures import Figure
from devcluster.demo import TEXT
from devcluster.layout import Cluster
from devcluster.product import NAMESPACE, ROOT
from tests.conftest import removed
from tests.docs import small_images
from tests.docs.discovery import pods_as_targets
from tests.docs.reader import Reader, assert_speech, environment, path_without
from tests.docs.shell import Shell
from tests.docs.steps import Reading
from tests.docs.table import OWN_TEXT, QUICKSTART, README, TUTORIALS
from tests.integration.operator.grafana import Shown, opened
from tests.integration.prometheus import query, query_range, running_prometheus
from tests.integration.server.conftest import free_port

pytestmark = pytest.mark.timeout(2400, func_only=True)
LANGUAGES = {"english": "", "chinese": ".zh"}
NOT_THERE = ("kubectl", "helm", "kubectl-tts", "docker", "kind")
LAST_OF_THE_CANARY = "--watch --timeout 30m"
"""In the block before its clean-up."""
WINDOW_SECONDS = 300
NEVER_EMPTY = {
    "tts-fleet": {"Services", "Requests", "Audio", "P95 latency", "Ready pods by zone"},
    "tts-service": {"Ready pods", "Requests", "P95 latency", "Requests by status", "Latency", "Audio", "Revisions"},
    "tts-rollouts": {"Rolled back"},
    "tts-operator": {"Leaders"},
}  # fmt: skip
"""Panels that show something, whatever a service does."""


@dataclass(frozen=True)
class Machine:
    """A machine of somebody new, with an empty directory."""

    reader: Reader
    home: Path

    @property
    def cluster(self) -> Cluster:
        """The cluster that `make demo` has made."""
        state = self.home / "tts-devcluster"
        return Cluster("dev", int((state / "dev/index").read_text()), state)


@pytest.fixture
def machine(tmp_path: Path, figures: list[Figure]) -> Iterator[Machine]:
    """Without kubectl, Helm, and Docker. Programs that are compiled already need not be compiled again."""
    # Paths of sockets are bounded, and pytest's folders have long names.
    with tempfile.TemporaryDirectory(prefix="docs-") as home:
        variables = {
            "PATH": path_without(NOT_THERE, tmp_path / "links"),
            "XDG_STATE_HOME": home,
            "REPOSITORY": str(ROOT),
            "PYTHON": sys.executable,
        }
        empty = tmp_path / "empty"
        empty.mkdir()
        with removed("dev", environment(XDG_STATE_HOME=home)), closing(Shell(empty, environment(**variables))) as shell:
            yield Machine(Reader(shell, variables, figures), Path(home))


def follow(reader: Reader, page: str, reading: Reading, until: str = "") -> None:
    """Follow a page, at most until after the block that has a text."""
    for step, _ in reader.follow(ROOT / page, reading):
        if until and until in step.block.code:
            return


def empty_panels(prometheus: str, files: Path, since: float, until: float) -> dict[str, set[str]]:
    """The panels of each dashboard of which no query returns a number, of those that always have some."""
    found = {}
    for name, wanted in NEVER_EMPTY.items():
        dashboard = opened(files / f"{name}.json", prometheus, rate="30s", period=f"{WINDOW_SECONDS}s")
        full = set()
        for panel in dashboard.panels:
            results = tuple(
                query(prometheus, each.expression)
                if each.instant
                else query_range(prometheus, each.expression, start=since, end=until, step=5)
                for each in panel.targets
            )
            if len(Shown(panel, results).empty) < len(results):
                full.add(panel.title)
        found[name] = wanted - full
    return found


def dashboards(reader: Reader, folder: Path) -> Path:
    """The dashboards in the cluster, as files, which is what Grafana's sidecar does with their ConfigMaps."""
    listing = f"kubectl -n {NAMESPACE} get configmap -l grafana_dashboard=1 -o json > dashboards.json\n"
    reader.shell.run(listing, seconds=30)
    for each in json.loads((reader.shell.directory / "dashboards.json").read_text())["items"]:
        for name, text in each["data"].items():
            (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_a_clone_to_a_text_a_canary_and_a_dashboard(
    language: str, machine: Machine, tmp_path: Path, figures: list[Figure]
) -> None:
    suffix, reader, begin = LANGUAGES[language], machine.reader, time.monotonic()
    follow(reader, f"README{suffix}.md", README)
    clone = reader.shell.directory
    assert_speech(clone / "build/demo/hello.wav", TEXT)
    assert_speech(clone / "hello.mp3", OWN_TEXT)
    figures.append(
        Figure(f"newcomer, {language}: until their own text is spoken", round(time.monotonic() - begin), "s")
    )

    follow(reader, f"docs/quickstart{suffix}.md", QUICKSTART, until="kubectl tts say")
    for file in ("hello.wav", "openai.wav", "plugin.wav"):
        assert_speech(clone / file, OWN_TEXT)

    small_images.load(machine.cluster.nodes(3), tmp_path)
    with (
        pods_as_targets(machine.cluster.kubeconfig) as pods,
        running_prometheus(tmp_path, free_port(), [pods]) as prometheus,
    ):
        since = time.time()
        rest = reader.follow(ROOT / f"docs/tutorials/canary{suffix}.md", TUTORIALS["canary"])
        for step, _ in rest:
            if LAST_OF_THE_CANARY in step.block.code:
                break
        now = time.time()
        found = empty_panels(prometheus, dashboards(reader, tmp_path), max(since, now - WINDOW_SECONDS), now)
        assert found == {name: set() for name in NEVER_EMPTY}
        assert list(rest)
    figures.append(Figure(f"newcomer, {language}: until canary and dashboard", round(time.monotonic() - begin), "s"))

    clean = "kubectl delete tts quickstart\nmake cluster-down\n"
    assert clean in (ROOT / f"docs/quickstart{suffix}.md").read_text(encoding="utf-8")
    reader.shell.run(clean, seconds=120)
    assert not (machine.home / "tts-devcluster/dev/index").exists()
