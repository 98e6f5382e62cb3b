"""Cluster providers. The variable CLUSTER selects devcluster (default), kind, or an existing cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devcluster.addons import ingress, kafka, s3
from devcluster.backends.kafka import Broker
from devcluster.backends.s3 import Gateway
from devcluster.errors import DevclusterError
from devcluster.host import shell
from devcluster.images import builder, containerd
from devcluster.layout import ZONES, cache_home
from devcluster.lifecycle import bringup, claims, cleanup
from devcluster.progress import Progress

MIRRORS = ("PYTHON_IMAGE", "PIP_INDEX_URL")
"""Build arguments of the Dockerfiles that the environment may set: where base image and packages come from."""


@dataclass(frozen=True)
class Size:
    """The desired size of a cluster. None leaves a value as it is."""

    nodes: int | None = None
    kwok: int | None = None
    ingress: bool | None = None
    """Whether to install an ingress controller. Only devcluster supports it."""
    kafka: bool | None = None
    """Whether to run Kafka. Only devcluster supports it."""
    s3: bool | None = None
    """Whether to run an S3 server. Only devcluster supports it."""
    keda: bool | None = None
    """Whether to install KEDA. Only devcluster supports it."""
    timeout: float = 180
    """Seconds to wait for readiness, not counting compilation."""


class Provider(Protocol):
    """What the demo and the tests need from a cluster."""

    def up(self, size: Size) -> None:
        """Create the cluster, or repair it."""

    def down(self) -> None:
        """Remove the cluster."""

    def kubeconfig(self) -> Path:
        """Return the path of its kubeconfig."""

    def build_image(self, dockerfile: Path, tag: str, arguments: Mapping[str, str], context: Path) -> None:
        """Build an image and tag it."""

    def load_image(self, tag: str) -> None:
        """Load a built image into every node."""


@dataclass(frozen=True)
class Devcluster:
    """A cluster of processes and network namespaces on this machine."""

    name: str
    progress: Progress

    def up(self, size: Size) -> None:
        """Create the cluster, or repair it."""
        patch = bringup.SpecPatch(size.nodes, size.kwok, size.ingress, size.kafka, size.s3, size.keda)
        bringup.up(self.name, patch, size.timeout, self.progress)

    def down(self) -> None:
        """Remove the cluster. Does nothing if it does not exist."""
        with claims.locked(self.name, self.progress):
            cluster = claims.find(self.name)
            if cluster is None:
                self.progress.say(f"cluster {self.name!r} does not exist")
            else:
                cleanup.down(cluster, self.progress)

    def kubeconfig(self) -> Path:
        """Return the path of its kubeconfig."""
        return claims.existing(self.name).kubeconfig

    def ingress_url(self) -> str:
        """Return the URL of the ingress controller. Clients name the host in the Host header."""
        return claims.existing(self.name).ingress_url

    def ingress_log(self) -> Path:
        """Return the path of the ingress controller's log."""
        return claims.existing(self.name).logs / f"{ingress.NAME}.log"

    def kafka(self) -> Broker:
        """Return the addresses, the CA and the credentials of Kafka."""
        return kafka.broker(claims.existing(self.name))

    def s3(self) -> Gateway:
        """Return the address, the CA and the credentials of the S3 server."""
        return s3.gateway(claims.existing(self.name))

    def build_image(self, dockerfile: Path, tag: str, arguments: Mapping[str, str], context: Path) -> None:
        """Build with buildah into an archive in the cache."""
        builder.build(dockerfile, tag, arguments, context, self.progress)

    def load_image(self, tag: str) -> None:
        """Import the image archive into the nodes that lack it."""
        cluster = claims.existing(self.name)
        archive = builder.find(tag)
        spec = claims.read_spec(cluster)
        with self.progress.step(f"load image {tag}"):
            containerd.load(archive.path, tag, archive.digest, cluster.nodes(spec.nodes if spec else 0))


@dataclass(frozen=True)
class Kind:
    """A kind cluster, on Docker."""

    name: str
    progress: Progress

    def up(self, size: Size) -> None:
        """Create the cluster with one worker per zone."""
        _refuse_addons(size)
        if self.name not in shell.run(["kind", "get", "clusters"]).stdout.split():
            workers = [
                {"role": "worker", "labels": {"topology.kubernetes.io/zone": ZONES[number % len(ZONES)]}}
                for number in range(3 if size.nodes is None else size.nodes)
            ]
            config = {
                "kind": "Cluster",
                "apiVersion": "kind.x-k8s.io/v1alpha4",
                "nodes": [{"role": "control-plane"}, *workers],
            }
            with self.progress.step(f"create kind cluster {self.name}"):
                shell.run(
                    ["kind", "create", "cluster", "--name", self.name, "--config", "-", "--wait", "180s"],
                    stdin=json.dumps(config),
                    timeout=size.timeout + 600,
                )
        self.kubeconfig()

    def down(self) -> None:
        """Delete the cluster."""
        shell.run(["kind", "delete", "cluster", "--name", self.name], timeout=300)

    def kubeconfig(self) -> Path:
        """Export the cluster's kubeconfig to the cache and return its path."""
        path = cache_home() / f"kind-{self.name}.kubeconfig"
        path.parent.mkdir(parents=True, exist_ok=True)
        shell.run(["kind", "export", "kubeconfig", "--name", self.name, "--kubeconfig", path])
        return path

    def build_image(self, dockerfile: Path, tag: str, arguments: Mapping[str, str], context: Path) -> None:
        """Build with Docker."""
        _docker_build(dockerfile, tag, arguments, context, self.progress)

    def load_image(self, tag: str) -> None:
        """Load the image from Docker into the nodes."""
        shell.run(["kind", "load", "docker-image", tag, "--name", self.name], timeout=600)


@dataclass(frozen=True)
class Existing:
    """The cluster of the current kubectl context. It is neither created nor removed."""

    progress: Progress

    def up(self, size: Size) -> None:
        """Check that the cluster responds. Its size does not change."""
        _refuse_addons(size)
        shell.run(["kubectl", "version"], timeout=30)

    def down(self) -> None:
        """Leave the cluster alone."""
        self.progress.say("CLUSTER=existing: leaving the cluster as it is")

    def kubeconfig(self) -> Path:
        """Return the kubeconfig that kubectl uses."""
        named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
        return Path(named) if named else Path.home() / ".kube" / "config"

    def build_image(self, dockerfile: Path, tag: str, arguments: Mapping[str, str], context: Path) -> None:
        """Build with Docker."""
        _docker_build(dockerfile, tag, arguments, context, self.progress)

    def load_image(self, tag: str) -> None:
        """Push the image to REGISTRY, such as registry.example/path. Does nothing if it is not set."""
        registry = os.environ.get("REGISTRY")
        if not registry:
            self.progress.say(f"REGISTRY is not set: the cluster must obtain {tag} by itself")
            return
        remote = f"{registry.rstrip('/')}/{tag.rsplit('/', 1)[-1]}"
        with self.progress.step(f"push {remote}"):
            shell.run(["docker", "tag", tag, remote])
            shell.run(["docker", "push", remote], timeout=900)


def choose(name: str, progress: Progress, environ: Mapping[str, str] = os.environ) -> Provider:
    """Return the provider that the variable CLUSTER selects."""
    choice = environ.get("CLUSTER") or "devcluster"
    if choice == "devcluster":
        return Devcluster(name, progress)
    if choice == "kind":
        return Kind(name, progress)
    if choice == "existing":
        return Existing(progress)
    raise DevclusterError(f"CLUSTER={choice}: must be devcluster, kind or existing")


def mirrors(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the build arguments for Docker that the environment sets."""
    return {name: environ[name] for name in MIRRORS if environ.get(name)}


def _refuse_addons(size: Size) -> None:
    addons = {"ingress": "an ingress controller", "kafka": "Kafka", "s3": "an S3 server", "keda": "KEDA"}
    for option, what in addons.items():
        if getattr(size, option):
            raise DevclusterError(f"`--{option}` requires CLUSTER=devcluster; install {what} in your cluster yourself")


def _docker_build(dockerfile: Path, tag: str, arguments: Mapping[str, str], context: Path, progress: Progress) -> None:
    words = [f"--build-arg={key}={value}" for key, value in {**mirrors(), **arguments}.items()]
    with progress.step(f"docker build {tag}"):
        shell.run(["docker", "build", "-f", dockerfile, "-t", tag, *words, context], timeout=1800)
