"""The promises of devcluster: what it starts heals, what it made goes, and what is another cluster's stays."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster.host import cgroups, processes
from devcluster.layout import REPOSITORY, RUN_ROOT, Cluster
from devcluster.lifecycle import claims, cleanup

NAME = "e2e-self"
NEIGHBOUR = "e2e-neighbour"
NODES = 2
IMAGE = "localhost/devcluster/e2e:1"
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")
SHIM_SOCKETS = Path("/run/containerd/s")

pytestmark = [
    pytest.mark.timeout(600, func_only=True),
    pytest.mark.skipif(os.environ.get("CLUSTER", "devcluster") != "devcluster", reason="tests devcluster itself"),
]


def devcluster(*words: str, timeout: float = 240) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "devcluster", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def healthy(name: str) -> bool:
    command = [sys.executable, "-m", "devcluster", "status", "--name", name]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=120, check=False).returncode == 0


def up(name: str = NAME, nodes: int = NODES) -> Cluster:
    devcluster("up", "--name", name, "--nodes", str(nodes))
    return claims.existing(name)


def until(what: str, check: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.05)


def kubectl(cluster: Cluster, *words: str, stdin: str | None = None, check: bool = True) -> str:
    program = devcluster("bin", "kubectl").strip()
    done = subprocess.run(
        [program, f"--kubeconfig={cluster.kubeconfig}", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def ready(cluster: Cluster, node: str) -> bool:
    template = "{.status.conditions[?(@.type=='Ready')].status}"
    return kubectl(cluster, "get", "node", node, f"-o=jsonpath={template}") == "True"


def living(cluster: Cluster) -> set[int]:
    pids = cgroups.members(cgroups.detect(), cluster.cgroup) | cleanup.recorded(cluster) | cleanup.by_command(cluster)
    return {pid for pid in pids if processes.start_time(pid)}


def traces(cluster: Cluster) -> list[str]:
    """Everything of the cluster that is still on the machine, looked up without the code that removes it."""
    found = [f"pid {pid}: {processes.command_line(pid)}" for pid in living(cluster)]
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    own = (cluster.bridge, f"{cluster.bridge}n", f"{cluster.bridge}gw")
    found += [link["ifname"] for link in links if link["ifname"] == own[0] or link["ifname"].startswith(own[1:])]
    found += [str(path) for path in Path("/run/netns").glob(f"{cluster.bridge}-*")]
    mounts = Path("/proc/mounts").read_text().splitlines()
    found += [line for line in mounts if f"{cluster.state}/" in line or f"{cluster.run}/" in line]
    found += [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if folder.endswith(f"/{cluster.cgroup}")]
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    found += [line for line in routes.splitlines() if cluster.pod_prefix + "." in line or cluster.bridge_prefix in line]
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
    found += [line for line in tables.splitlines() if line.endswith(f" {cluster.bridge}")]
    found += [str(path) for path in CNI_RESULTS.glob(f"{cluster.bridge}-*")]
    found += [str(path) for path in CONTAINER_LOGS.glob("*") if target(path).startswith(f"{cluster.state}/")]
    found += [
        str(path) for path in (cluster.state, cluster.run, RUN_ROOT / "claims" / str(cluster.index)) if path.exists()
    ]
    return found


def target(link: Path) -> str:
    """What a link points to. The kubelet of another cluster may remove its own at any time."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def sockets() -> set[str]:
    return {path.name for path in SHIM_SOCKETS.glob("*")}


def kill_all(cluster: Cluster) -> None:
    while pids := living(cluster):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


@pytest.fixture(scope="module")
def neighbour() -> Iterator[Cluster]:
    """Another cluster, which no command meant for the first one may touch."""
    yield up(NEIGHBOUR, nodes=0)
    devcluster("down", "--name", NEIGHBOUR)


@pytest.fixture(autouse=True)
def untouched(neighbour: Cluster) -> Iterator[None]:
    """The other cluster runs on, whatever a test does."""
    before = {name: processes.read_record(neighbour.records / f"{name}.json") for name in ("etcd", "kube-apiserver")}
    assert all(before.values())
    yield
    assert before == {name: processes.read_record(neighbour.records / f"{name}.json") for name in before}
    until("the other cluster to be healthy", lambda: healthy(NEIGHBOUR), 120)


@pytest.fixture(scope="module")
def down_at_last(neighbour: Cluster) -> Iterator[None]:
    """Nothing of the cluster is left after the last test."""
    del neighbour  # it is there all the time
    yield
    devcluster("down", "--name", NAME)


@pytest.fixture
def cluster(down_at_last: None) -> Cluster:
    """The cluster, up. Tests leave it to the next one in any state: `up` heals it."""
    del down_at_last
    return up()


@pytest.fixture
def no_cluster(down_at_last: None) -> None:
    """Nothing of the cluster."""
    del down_at_last
    devcluster("down", "--name", NAME)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    context = tmp_path_factory.mktemp("image")
    (context / "Dockerfile").write_text("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\nUSER 65532\n")
    devcluster("build-image", str(context / "Dockerfile"), IMAGE, "--context", str(context))
    return IMAGE


def server(image: str) -> str:
    """Return a web server in one pod per zone, and its Service."""
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["python3", "-m", "http.server", "8080", "--directory", "/usr/share/common-licenses"],
        "readinessProbe": {"httpGet": {"path": "/GPL-3", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "128Mi"}},
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": labels},
    }
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": NODES,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [container],
                        "topologySpreadConstraints": [spread],
                        "terminationGracePeriodSeconds": 1,
                        "automountServiceAccountToken": False,
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


FETCH = "import urllib.request as r; print(r.urlopen('http://web.default.svc.cluster.local/GPL-3', timeout=5).status)"


def pods_reach_each_other(cluster: Cluster) -> bool:
    names = kubectl(cluster, "get", "pods", "-l=app=web", "-o=name").split()
    return len(names) == NODES and all(
        # More often than there are pods: an answer must come from the pod itself and from the other node.
        kubectl(cluster, "exec", name, "--", "python3", "-c", FETCH, check=False).strip() == "200"
        for name in names
        for _ in range(4)
    )


def test_a_zone_goes_down_and_comes_back(cluster: Cluster) -> None:
    devcluster("zone", "down", "zone-b", "--name", NAME)
    until("node-2 to be not ready", lambda: not ready(cluster, "node-2"), 120)
    assert ready(cluster, "node-1")
    devcluster("zone", "up", "zone-b", "--name", NAME)
    until("node-2 to be ready", lambda: ready(cluster, "node-2"), 120)


def test_up_heals_one_dead_component(cluster: Cluster) -> None:
    dead = processes.read_record(cluster.records / "kubelet-node-1.json")
    kept = processes.read_record(cluster.records / "kubelet-node-2.json")
    assert dead
    os.kill(dead.pid, signal.SIGKILL)
    until("it is dead", lambda: processes.start_time(dead.pid) is None, 30)
    up()
    assert processes.read_record(cluster.records / "kubelet-node-1.json") not in (None, dead)
    assert processes.read_record(cluster.records / "kubelet-node-2.json") == kept


def test_up_after_a_reboot(cluster: Cluster) -> None:
    kubectl(cluster, "create", "configmap", "kept")
    kill_all(cluster)
    # What a reboot takes away: mounts, namespaces, interfaces, cgroups, and all of /run.
    for point in sorted(cleanup.mounts(cluster), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], check=True)
    for path in Path("/run/netns").glob(f"{cluster.bridge}-*"):
        subprocess.run(["ip", "netns", "delete", path.name], check=True)
    subprocess.run(["ip", "link", "delete", cluster.bridge], check=True)
    cgroups.remove(cgroups.detect(), cluster.cgroup)
    shutil.rmtree(cluster.run)
    (RUN_ROOT / "claims" / str(cluster.index)).unlink()

    assert up() == cluster
    assert "kept" in kubectl(cluster, "get", "configmaps")


@pytest.fixture
def serving(cluster: Cluster, image: str) -> Cluster:
    """The cluster, with a web server in each zone."""
    devcluster("load-image", image, "--name", NAME)
    kubectl(cluster, "apply", "-f", "-", stdin=server(image))
    kubectl(cluster, "rollout", "status", "deployment/web", "--timeout=80s")
    until("every pod to reach the service", lambda: pods_reach_each_other(cluster), 120)
    return cluster


def test_pods_find_each_other_by_name_and_come_back_after_a_mass_kill(serving: Cluster) -> None:
    devcluster("up", "--name", NAME, "--ingress")
    kill_all(serving)
    assert up() == serving
    until("the pods to serve again", lambda: pods_reach_each_other(serving), 180)
    assert processes.read_record(serving.records / "traefik.json")  # what was asked for once is kept
    assert serving.ingress_url in devcluster("status", "--name", NAME)


def test_down_leaves_nothing_but_the_users_own_programs(serving: Cluster) -> None:
    before = sockets()
    reader = subprocess.Popen(["tail", "-f", str(serving.logs / "etcd.log")], stdout=subprocess.DEVNULL)
    try:
        devcluster("down", "--name", NAME)
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.wait(10)
    assert traces(serving) == []
    assert before - sockets(), "those of its containers are gone"  # another cluster's may come


def test_down_after_everything_died(cluster: Cluster) -> None:
    kill_all(cluster)
    devcluster("down", "--name", NAME)
    assert traces(cluster) == []


@pytest.mark.parametrize("moment", ["claimed", "kube-apiserver", "kubelet-node-2"])
@pytest.mark.usefixtures("no_cluster")
def test_a_killed_up_leaves_nothing_after_down(moment: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "devcluster", "up", "--name", NAME, "--nodes", str(NODES)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def reached() -> bool:
        cluster = claims.find(NAME)
        return cluster is not None and (moment == "claimed" or (cluster.records / f"{moment}.json").exists())

    try:
        until(f"the moment {moment}", reached, 180)
    finally:
        process.kill()
        process.wait(10)
    cluster = claims.existing(NAME)
    devcluster("down", "--name", NAME)
    assert traces(cluster) == []


OCCUPY = """
import socket, sys, time
IP_FREEBIND = 15  # the address is not there yet
s = socket.socket()
s.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 6443))
s.listen()
print("listening", flush=True)
time.sleep(300)
"""


@pytest.mark.usefixtures("no_cluster")
def test_a_failing_component_is_named_with_the_end_of_its_log() -> None:
    cluster = claims.claim(NAME)  # as `up` does first: it then has addresses
    words = [sys.executable, "-m", "devcluster", "up", "--name", NAME, "--nodes", "0"]
    with subprocess.Popen([sys.executable, "-c", OCCUPY, cluster.host_address], stdout=subprocess.PIPE) as blocker:
        try:
            assert blocker.stdout
            assert blocker.stdout.readline() == b"listening\n"
            done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False)
        finally:
            blocker.kill()
    assert done.returncode == 1
    assert "kube-apiserver exited with code 1" in done.stderr
    assert "address already in use" in done.stderr
