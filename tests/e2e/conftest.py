"""Fixtures: the product on real nodes in three zones, and a namespace for each module of tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.figures import Figure, table, write
from devcluster import binaries
from devcluster.host import debian
from devcluster.images import baseimage
from devcluster.product import NAMESPACE, Product
from devcluster.progress import Progress
from devcluster.provider import Devcluster, choose
from tests.e2e.client import Client
from tests.e2e.operatorlog import OperatorLog, crashed, wrong_lines
from tests.e2e.place import Place, until
from tests.e2e.proxy import proxy

FIGURES = Path("build/bench/e2e.json")
MEASURED: pytest.StashKey[list[Figure]] = pytest.StashKey()
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """All that takes minutes on a new machine, so that no test's time-out has to count it."""
    progress = Progress()
    if isinstance(choose("dev", progress), Devcluster):
        debian.ensure([*debian.CONTROL_PLANE, *debian.NODE, *debian.IMAGES], progress)
        binaries.ensure([program for program in binaries.PROGRAMS if program != "helm"], progress)
        baseimage.ensure(progress)


@pytest.fixture(scope="session")
def product(three_zones: Product) -> Iterator[Product]:
    """This checkout's operator, installed. It is removed afterwards unless it was there before."""
    before = three_zones.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name")
    three_zones.install()
    yield three_zones
    if not before:
        three_zones.uninstall()


@pytest.fixture(scope="session")
def operator_log(product: Product) -> Iterator[OperatorLog]:
    """The operator's log; at the end of the run it must be JSON without a traceback, and the operator not crashed."""
    log = OperatorLog(product)
    yield log
    assert wrong_lines(log.keep()) == []
    assert crashed(product) == []


@pytest.fixture(scope="session")
def server_image(product: Product) -> str:
    """The model server that the installed operator runs where a spec names none."""
    deployment = json.loads(product.kubectl("-n", NAMESPACE, "get", "deployment", "tts-operator", "-o", "json"))
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(each["value"] for each in variables if each["name"] == "TTS_OPERATOR_SERVER_IMAGE"))


@pytest.fixture(scope="session")
def make_place(product: Product, server_image: str, operator_log: OperatorLog) -> Iterator[Callable[..., Place]]:
    """Make a namespace under the restricted Pod Security Standard, with a client in it; all end with the run."""
    del operator_log  # it must see all that is done here
    made: list[str] = []

    def make(name: str, zone: str | None = None) -> Place:
        product.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=100s", timeout=110)
        product.kubectl("create", "namespace", name)
        made.append(name)
        product.kubectl("label", "namespace", name, RESTRICTED)
        account = ("-n", name, "get", "serviceaccount", "default", "--ignore-not-found", "-o", "name")
        until("the namespace has its ServiceAccount", lambda: bool(product.kubectl(*account)), 30)
        client = Client(product, name)
        client.start(server_image, zone)
        return Place(product, name, client, reader)

    with proxy(product) as reader:
        yield make
    if made:
        product.kubectl("delete", "namespace", *made, "--ignore-not-found", "--timeout=100s", timeout=110)


@pytest.fixture(scope="module")
def place(make_place: Callable[..., Place], request: pytest.FixtureRequest) -> Iterator[Place]:
    """The namespace of a module."""
    name = "e2e-" + request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    made = make_place(name)
    yield made
    made.leave()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[Figure]:
    """What tests have measured; a table and FIGURES tell of it at the end of the run."""
    return request.config.stash.setdefault(MEASURED, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was measured."""
    if measured := config.stash.get(MEASURED, []):
        write(FIGURES, measured)
        terminalreporter.section(f"measured; also in {FIGURES}")
        terminalreporter.write_line(table(measured))
