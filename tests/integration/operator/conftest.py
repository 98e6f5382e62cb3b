"""Fixtures: the CRD and the operator's rights on a cluster, and a namespace for each test."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import kopf
import pytest
import yaml

from devcluster import binaries
from devcluster.addons import crds
from devcluster.product import ROOT, Product
from devcluster.progress import Progress
from tests.integration.operator.installing import grant, serve
from tests.integration.operator.world import USER, AdminClient, World, access
from tts_operator.kube.connection import Connection
from tts_operator.kube.resources import Resource

NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)

NOT_INSTALLED = {"Deployment", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


@pytest.fixture(scope="session")
def installed(control_plane: Product) -> Product:
    """A cluster with the CRD, and the operator's rights given to the test user.

    The operator itself is not in it, nor its ValidatingAdmissionPolicy: tests ask for all that a TTSService can have,
    also for what is off in the chart unless somebody needs it.
    """
    binaries.ensure(["helm"], Progress())
    render = [str(ROOT / "charts/render"), "install", "--set", "features.dashboards=true"]
    environment = {**os.environ, "HELM": str(binaries.path_of("helm"))}
    text = subprocess.run(render, env=environment, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    manifests = [body for body in yaml.safe_load_all(text) if body]
    wanted = [body for body in manifests if body["kind"] not in NOT_INSTALLED]
    own = [body for body in wanted if body["kind"] == "CustomResourceDefinition"]
    serve(control_plane, [*own, *crds.definitions(control_plane.progress)])
    grant(control_plane, [body for body in wanted if body not in own], USER)
    return control_plane


@pytest.fixture(scope="session")
def helm() -> Path:
    """The binary."""
    binaries.ensure(["helm"], Progress())
    return binaries.path_of("helm")


@pytest.fixture
async def world(installed: Product) -> AsyncIterator[World]:
    """A namespace of its own for one test."""
    admin = Connection(access(installed.provider.kubeconfig()))
    client = AdminClient(admin.session, admin.access.server)
    operator_access = access(installed.provider.kubeconfig().parent / "operator-test.kubeconfig")
    namespace = f"test-{time.time_ns() % 10**10}"
    await client._request("POST", NAMESPACES.path(), body={"metadata": {"name": namespace}})
    yield World(installed, namespace, client, operator_access)
    await client._request("DELETE", NAMESPACES.path(name=namespace), body={"propagationPolicy": "Background"})
    await admin.close()


@pytest.fixture(autouse=True)
def _no_kopf_leftovers() -> Iterator[None]:
    """kopf keeps a default registry per process; the operator must not put anything into it."""
    yield
    registry = kopf.get_default_registry()
    assert not registry._watching._handlers
