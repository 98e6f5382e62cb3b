"""What servers and the ingress controller say about requests that have failed. They are gone after the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from devcluster.errors import DevclusterError
from devcluster.provider import Devcluster
from tests.e2e.load import Load
from tests.e2e.namespace import Namespace

_CHARACTERS, _LINES = 1000, 100
_TELLING = ("ReverseProxy", "rror", " ERR ", 'HTTP/1.1" 5')


@contextmanager
def explaining_failures(ns: Namespace, service: str) -> Iterator[list[Load]]:
    """After the block, print what explains the failures of the loads that it has put into the list."""
    loads: list[Load] = []
    provider = ns.product.provider
    log = provider.ingress_log() if isinstance(provider, Devcluster) else None
    begin = log.stat().st_size if log and log.exists() else 0
    try:
        yield loads
    finally:
        if any(load.failures for load in loads):
            _print([line for line in _servers(ns, service) if '"level": "info"' not in line])
        if log and log.exists() and any(load.failures for load in loads):
            with log.open("rb") as file:
                file.seek(begin)
                said = file.read().decode(errors="replace").splitlines()
            _print([line for line in said if any(word in line for word in _TELLING)])


def _servers(ns: Namespace, service: str) -> list[str]:
    selector = f"app.kubernetes.io/instance={service}"
    try:
        said = ns.kubectl("logs", "-l", selector, "--prefix", "--tail=-1", "--max-log-requests=20", check=False)
    except DevclusterError as error:  # must not hide what has failed
        return [str(error)]
    return said.splitlines()


def _print(lines: list[str]) -> None:
    sys.stdout.writelines(f"{line[:_CHARACTERS]}\n" for line in lines[-_LINES:])
