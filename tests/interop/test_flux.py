"""Flux applies TTSServices from Git, waits until they are ready, and reports a rollback: as the examples have it."""

from __future__ import annotations

import asyncio
import datetime
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from devcluster.addons import crds
from devcluster.product import ROOT, Product
from tests.integration.operator.world import UNHEARD, World, until
from tests.interop.flux import Repository, controllers, repository
from tts_operator.json_object import Json
from tts_operator.kube.resources import DEPLOYMENTS, TTSSERVICES, Resource

pytestmark = pytest.mark.timeout(600)
GIT_REPOSITORIES = Resource(
    group="source.toolkit.fluxcd.io", version="v1", kind="GitRepository", plural="gitrepositories"
)
KUSTOMIZATIONS = Resource(
    group="kustomize.toolkit.fluxcd.io", version="v1", kind="Kustomization", plural="kustomizations"
)
KINDS = {each.kind: each for each in (GIT_REPOSITORIES, KUSTOMIZATIONS)}
NAME, SPEECH = "narrator", "speech"
CANARY: Json = {"rollout": {**UNHEARD, "strategy": "Canary", "canary": {"steps": [{"weight": 50}]}}}
FLUX_SECONDS = 60.0
"""Flux looks at what it waits for every five seconds. Its own patience is 15 minutes in the examples."""
LOOKS_SECONDS = 12.0


@dataclass(frozen=True)
class Flux:
    """A repository, and what Flux says of it."""

    world: World
    repository: Repository
    source: str

    async def sync(self) -> None:
        """Have it fetch the source now, as `flux reconcile source git` does."""
        mark = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": str(time.time_ns())}}}
        await self.world.client.merge(GIT_REPOSITORIES, self.world.namespace, self.source, mark)

    async def condition(self, kind: str, name: str = SPEECH) -> Json:
        """A condition of a Kustomization; empty if it is not set."""
        body = await self.world.get(KUSTOMIZATIONS, name)
        conditions = (body or {}).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    async def waits(self, revision: str) -> None:
        """Wait until this revision is applied, and Flux waits for what it has applied."""

        async def does() -> bool:
            body = await self.world.get(KUSTOMIZATIONS, SPEECH)
            message = (await self.condition("Reconciling")).get("message", "")
            attempted = (body or {}).get("status", {}).get("lastAttemptedRevision")
            return bool(attempted == revision and message.startswith("Running health checks"))

        await until(does, f"{revision} is applied", patience=FLUX_SECONDS)

    async def reports(self, status: str, revision: str) -> Json:
        """Wait until a revision is reported as ready ("True") or failed ("False"). Returns the condition."""
        found: Json = {}

        async def does() -> bool:
            found.update(await self.condition("Ready"))
            body = await self.world.get(KUSTOMIZATIONS, SPEECH)
            told = (body or {}).get("status", {})
            done = told.get("lastAppliedRevision") if status == "True" else told.get("lastAttemptedRevision")
            return bool(found.get("status") == status and done == revision)

        await until(does, f"{revision} is {status}", patience=FLUX_SECONDS)
        return found


def adapted(body: Json, world: World, url: str) -> Json:
    """An example in this test's namespace, and with its repository."""
    namespace, spec = world.namespace, body["spec"]
    found = {**body, "metadata": {**body["metadata"], "namespace": namespace}, "spec": {**spec}}
    if body["kind"] == GIT_REPOSITORIES.kind:
        found["spec"]["url"] = url
    if "targetNamespace" in spec:
        found["spec"]["targetNamespace"] = namespace
    if "healthChecks" in spec:
        found["spec"]["healthChecks"] = [{**each, "namespace": namespace} for each in spec["healthChecks"]]
    return found


def of_the_example() -> list[Json]:
    """integrations/flux/services.yaml, which has health checks of its own."""
    return list(yaml.safe_load_all((ROOT / "integrations/flux/services.yaml").read_text()))


def of_the_tutorial() -> list[Json]:
    """The Kustomizations of the tutorial, which rely on kstatus, and the source that they name."""
    text = (ROOT / "docs/tutorials/gitops.md").read_text()
    found = re.search(r"^## 2\. Flux.*?```yaml\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    (source,) = (each for each in of_the_example() if each["kind"] == GIT_REPOSITORIES.kind)
    return [{**source, "metadata": {"name": "clusters"}}, *yaml.safe_load_all(found[1])]


@dataclass(frozen=True)
class Layout:
    """Where a repository has TTSServices, and what else it has."""

    manifests: list[Json]
    folder: str
    source: str
    more: Json

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}.yaml"


FIRST = yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first", "namespace": "default"}})
"""What stands for the operator's chart."""
EXAMPLE = Layout(of_the_example(), "services", SPEECH, {})
TUTORIAL = Layout(
    of_the_tutorial(), "clusters/production/speech", "clusters", {"clusters/production/tts-operator/first.yaml": FIRST}
)


def manifest(world: World, name: str, **spec: object) -> str:
    """A TTSService, as it is in Git."""
    metadata = {"name": name, "namespace": world.namespace}
    body = {"apiVersion": TTSSERVICES.api_version, "kind": TTSSERVICES.kind, "metadata": metadata}
    return yaml.safe_dump({**body, "spec": {**CANARY, **spec}})


@asynccontextmanager
async def running(world: World, folder: Path, product: Product, layout: Layout, *services: str) -> AsyncIterator[Flux]:
    """Flux with the manifests of a layout, and a repository with TTSServices of these names."""
    kinds = yaml.safe_dump_all(crds.definitions(product.progress, crds.FLUX))
    product.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=kinds)
    for name in crds.FLUX:
        product.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")
    with (
        repository(folder / "git") as git,
        controllers(folder, product.provider.kubeconfig(), world.namespace),
    ):
        git.commit({**layout.more, **{layout.path(name): manifest(world, name) for name in services}})
        for body in layout.manifests:
            await world.client.patch(KINDS[body["kind"]], adapted(body, world, git.url), manager="user")
        try:
            yield Flux(world, git, layout.source)
        finally:  # Flux' finalizers would hold up the removal of the namespace
            await removed(world, [each for each in layout.manifests if each["kind"] == KUSTOMIZATIONS.kind])
            await removed(world, [each for each in layout.manifests if each["kind"] == GIT_REPOSITORIES.kind])


async def removed(world: World, bodies: Iterable[Json]) -> None:
    """Delete objects of Flux, and wait until Flux has let go of them."""
    for body in bodies:
        kind, name = KINDS[body["kind"]], body["metadata"]["name"]
        await world.client._request("DELETE", kind.path(world.namespace, name))

        async def gone(kind: Resource = kind, name: str = name) -> bool:
            return await world.get(kind, name) is None

        await until(gone, f"{name} is gone", patience=FLUX_SECONDS)


async def status(world: World) -> Json:
    body = await world.get(TTSSERVICES, NAME)
    found: Json = (body or {}).get("status", {})
    return found


def when(condition: Json) -> datetime.datetime:
    return datetime.datetime.fromisoformat(condition["lastTransitionTime"])


@pytest.mark.parametrize("layout", [EXAMPLE, TUTORIAL], ids=["example", "tutorial"])
async def test_a_change_in_git_that_is_rolled_back_fails_and_its_revert_is_ready(
    world: World, installed: Product, tmp_path: Path, layout: Layout
) -> None:
    async with running(world, tmp_path, installed, layout, NAME) as flux:
        first = flux.repository.head()
        await flux.waits(first)
        # It has no conditions, because no operator has seen it. That must not count as ready.
        await asyncio.sleep(LOOKS_SECONDS)
        assert (await flux.condition("Ready"))["status"] == "Unknown"
        async with world.operator():
            ready = await flux.reports("True", first)
            assert when(await world.condition(NAME, "Ready")) <= when(ready)

            changed = flux.repository.commit({layout.path(NAME): manifest(world, NAME, server={"logLevel": "debug"})})
            await flux.sync()

            async def waits_for_a_person() -> bool:
                return bool((await status(world)).get("rollout", {}).get("phase") == "Stepping")

            await until(waits_for_a_person, "the canary waits at its step", patience=FLUX_SECONDS)
            await flux.waits(changed)
            rollout = (await status(world))["rollout"]
            abort = {"tts-operator.io/abort": f"{rollout['revision']}@{rollout['startTime']}"}
            await world.client.merge(TTSSERVICES, world.namespace, NAME, {"metadata": {"annotations": abort}})
            failed = await flux.reports("False", changed)
            assert failed["reason"] == "HealthCheckFailed"
            assert f"TTSService/{world.namespace}/{NAME} status: 'Failed'" in failed["message"]
            assert (await world.condition(NAME, "Available"))["status"] == "True"

            reverted = flux.repository.revert()
            await flux.sync()
            await flux.reports("True", reverted)
            body = await world.get(TTSSERVICES, NAME)
            assert body is not None
            assert "rollout" not in body["status"]
            assert body["metadata"]["annotations"].items() >= abort.items(), "Flux leaves what is not in Git"


async def test_flux_waits_for_every_service_and_prunes_what_is_gone_from_git(
    world: World, installed: Product, tmp_path: Path
) -> None:
    async with running(world, tmp_path, installed, TUTORIAL, NAME, "reader") as flux, world.operator():
        await flux.reports("True", flux.repository.head())
        for name in (NAME, "reader"):
            assert (await world.condition(name, "Ready"))["status"] == "True"
        dependency = await flux.condition("Ready", "tts-operator")
        assert when(dependency) <= when(await flux.condition("Ready"))

        less = flux.repository.commit({TUTORIAL.path("reader"): None})
        await flux.sync()
        await flux.reports("True", less)

        async def alone() -> bool:
            gone = await world.get(TTSSERVICES, "reader") is None
            return gone and await world.get(DEPLOYMENTS, "reader") is None

        await until(alone, "what is no longer in Git is gone", patience=FLUX_SECONDS)
        assert (await world.condition(NAME, "Ready"))["status"] == "True"
