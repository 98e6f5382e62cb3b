"""Record what a real API server returns for an object, and after others' edits: `live/*.json`.

    KUBECONFIG=... python tests/unit/operator/record_live.py path/to/kubectl

Any cluster does; the namespace `unit-lab` is made and removed.
`reconcile/children/test_diff.py` says what is expected of each case.
"""

import json
import subprocess
import sys
from pathlib import Path

LIVE = Path(__file__).parent / "live"
DESIRED = LIVE / "desired.yaml"
MANAGER = "tts-operator"
OWNER, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
"""Stand for the uids of two ConfigMaps, which must exist or the garbage collector steps in."""
TARGET = "deployment/narrator"
CONTAINER = "/spec/template/spec/containers/0"

PATCH = ("patch", TARGET, "-p")
JSON_PATCH = ("patch", TARGET, "--type=json", "-p")


def template(**spec: object) -> str:
    return json.dumps({"spec": {"template": {"spec": spec}}})


def edit(op: str, path: str, value: object = None) -> str:
    return json.dumps([{"op": op, "path": path, "value": value}])


EDITS: dict[str, tuple[str, ...]] = {
    "untouched": (),
    "sidecar_injected": (*PATCH, template(containers=[{"name": "proxy", "image": "example.com/proxy:v1"}])),
    "restarted": ("rollout", "restart", TARGET),
    "label_added": ("label", TARGET, "team=voices"),
    "label_removed": ("label", TARGET, "part-of-"),
    "label_changed": ("label", TARGET, "--overwrite", "part-of=music"),
    "image_changed": ("set", "image", TARGET, "server=example.com/server:v2"),
    "scaled": ("scale", TARGET, "--replicas=1"),
    "default_changed": (*PATCH, template(terminationGracePeriodSeconds=7)),
    "env_added": ("set", "env", TARGET, "EXTRA=1"),
    "env_changed": ("set", "env", TARGET, "LEVEL=debug"),
    "env_removed": ("set", "env", TARGET, "LEVEL-"),
    "port_added": (*JSON_PATCH, edit("add", f"{CONTAINER}/ports/-", {"containerPort": 9000})),
    "port_renamed": (*JSON_PATCH, edit("replace", f"{CONTAINER}/ports/0/name", "web")),
    "command_extended": (*JSON_PATCH, edit("add", f"{CONTAINER}/command/-", "--loud")),
    "toleration_added": (*JSON_PATCH, edit("add", "/spec/template/spec/tolerations/-", {"operator": "Exists"})),
    "node_selector_extended": (*PATCH, template(nodeSelector={"arch": "arm64"})),
    "requests_respelled": ("set", "resources", TARGET, "--requests=cpu=1,memory=2Gi"),
    "requests_changed": ("set", "resources", TARGET, "--requests=cpu=1500m"),
    "resource_added": ("set", "resources", TARGET, "--limits=ephemeral-storage=1Gi"),
    "finalizer_added": (*JSON_PATCH, edit("add", "/metadata/finalizers/-", "example.com/other")),
    "finalizer_removed": (*JSON_PATCH, edit("remove", "/metadata/finalizers/0")),
    "owner_added": (
        *JSON_PATCH,
        edit(
            "add",
            "/metadata/ownerReferences/-",
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": OTHER},
        ),
    ),
    "owner_changed": (*JSON_PATCH, edit("replace", "/metadata/ownerReferences/0/controller", False)),
    "volume_resized": (
        *JSON_PATCH,
        edit("replace", "/spec/template/spec/volumes/0/emptyDir/sizeLimit", "2Gi"),
    ),
    "records_wiped": (*JSON_PATCH, edit("replace", "/metadata/managedFields", [{}])),
}


def main() -> None:
    """Apply each edit to a fresh object, and record the result."""

    def kubectl(*arguments: str, given: str | None = None) -> str:
        command = [sys.argv[1], "--namespace=unit-lab", *arguments]
        return subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE, text=True).stdout

    kubectl("create", "namespace", "unit-lab")
    try:
        uids: dict[str, str] = {}
        for stand_in, name in ((OWNER, "owner"), (OTHER, "other")):
            kubectl("create", "configmap", name)
            uids[stand_in] = kubectl("get", "configmap", name, "-o=jsonpath={.metadata.uid}")
        for name, arguments in EDITS.items():
            desired = DESIRED.read_text().replace(OWNER, uids[OWNER])
            kubectl("apply", "--server-side", f"--field-manager={MANAGER}", "-f", "-", given=desired)
            if arguments:
                kubectl(*(argument.replace(OTHER, uids[OTHER]) for argument in arguments))
            text = kubectl("get", TARGET, "-o=json", "--show-managed-fields")
            for stand_in, uid in uids.items():
                text = text.replace(uid, stand_in)
            live = json.loads(text)
            live.pop("status")  # written by a controller, at a time of its own
            live["metadata"].pop("annotations", None)
            live["metadata"]["managedFields"] = [
                entry for entry in live["metadata"].get("managedFields", ()) if entry.get("subresource") != "status"
            ]
            (LIVE / f"{name}.json").write_text(json.dumps(live, separators=(",", ":"), sort_keys=True) + "\n")
            kubectl("patch", TARGET, "-p", '{"metadata": {"finalizers": null}}')
            kubectl("delete", TARGET)
    finally:
        kubectl("delete", "namespace", "unit-lab", "--wait=false")


if __name__ == "__main__":
    main()
