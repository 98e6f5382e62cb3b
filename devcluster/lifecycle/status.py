"""`status`: a description of the cluster's state."""

from __future__ import annotations

from devcluster.addons import kafka, keda, s3
from devcluster.controlplane.apiclient import Api, ApiError, is_ready
from devcluster.host import cgroups, network
from devcluster.host.processes import Supervisor
from devcluster.layout import Cluster
from devcluster.lifecycle import claims


def describe(cluster: Cluster) -> tuple[list[str], bool]:
    """Return the lines to print, and whether everything is healthy."""
    supervisor = Supervisor(cluster, cgroups.detect())
    spec = claims.read_spec(cluster)
    lines = [f"cluster {cluster.name}: API server {cluster.api_url}, kubeconfig {cluster.kubeconfig}"]
    healthy = spec is not None
    for name in supervisor.names():
        record = supervisor.record(name)
        healthy &= record is not None
        lines.append(
            f"  {name:<26} " + (f"pid {record.pid}" if record else f"NOT RUNNING, see {supervisor.log_path(name)}")
        )
    if spec is not None and spec.ingress:
        lines.append(f"  ingress controller: {cluster.ingress_url}")
    if spec is not None and spec.kafka:
        lines += [f"  {line}" for line in kafka.describe(cluster)]
    if spec is not None and spec.s3:
        lines += [f"  {line}" for line in s3.describe(cluster)]
    if spec is not None and spec.keda:
        lines.append(f"  KEDA {keda.version()}, in the namespace {keda.NAMESPACE}")
    try:
        nodes = Api(cluster, timeout=5).nodes()
    except (OSError, ApiError) as error:
        return [*lines, f"  the API server does not respond: {error}"], False
    cut = {node.name for node in cluster.nodes(spec.nodes if spec else 0) if not network.zone_is_up(node)}
    for node in nodes:
        metadata = node["metadata"]
        zone = metadata["labels"].get("topology.kubernetes.io/zone", "-")
        note = ", zone disconnected" if metadata["name"] in cut else ""
        lines.append(f"  {metadata['name']:<26} {zone}  {'Ready' if is_ready(node) else 'NotReady'}{note}")
    wanted = spec.nodes + spec.kwok if spec else 0
    return lines, healthy and sum(map(is_ready, nodes)) == wanted
