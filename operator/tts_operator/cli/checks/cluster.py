"""What `kubectl tts doctor` reads from the cluster. What the user may not read stays unknown, with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tts_operator.cli.kubectl import Kubectl, parsed
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.services.listing import GROUP_PATH
from tts_operator.cli.view import TTSSERVICES
from tts_operator.json_object import Json

OPERATOR = "app.kubernetes.io/name=tts-operator"
ACCESS = "authorization.k8s.io/v1"
WRITES = (
    ("", "services"),
    ("", "serviceaccounts"),
    ("apps", "deployments"),
    ("apps", "controllerrevisions"),
)
"""What the operator must be able to create, whatever the features: API group and resource."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What was read. None: it could not be; `unread` says why."""

    version: Json | None = None
    groups: frozenset[str] | None = None
    """Names of the API groups."""
    crd: Json | None = None
    """Empty if there is none."""
    operators: Sequence[Json] | None = None
    """The operator's Deployments."""
    nodes: Sequence[Json] | None = None
    ingress_classes: Sequence[Json] | None = None
    storage_classes: Sequence[Json] | None = None
    policies: Sequence[Json] | None = None
    """The ConfigMaps with the policy."""
    admission: Sequence[Json] | None = None
    """ValidatingAdmissionPolicies of the operator."""
    services: Sequence[Json] | None = None
    """TTSServices: of all namespaces, or at least of the user's."""
    may: Mapping[str, bool] | None = None
    """What the user may do, such as `patch ttsservices`."""
    operator_may: Mapping[str, bool] | None = None
    """What the operator may create, by resource; empty if there is no operator."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Why something could not be read, by the name of the field."""


def read(kubectl: Kubectl) -> Cluster:
    """Read everything at once. Raises UnreachableError only if nothing can be read."""
    readers: dict[str, Callable[[], object]] = {
        "version": lambda: kubectl.json("version").get("serverVersion"),
        "groups": lambda: frozenset(each["name"] for each in kubectl.raw("/apis").get("groups") or []),
        "crd": lambda: _crd(kubectl),
        "operators": lambda: _items(kubectl, "deployments.apps", f"--selector={OPERATOR}", "--all-namespaces"),
        "nodes": lambda: _items(kubectl, "nodes"),
        "ingress_classes": lambda: _items(kubectl, "ingressclasses.networking.k8s.io"),
        "storage_classes": lambda: _items(kubectl, "storageclasses.storage.k8s.io"),
        "policies": lambda: _items(kubectl, "configmaps", f"--selector={OPERATOR}", "--all-namespaces"),
        "admission": lambda: _items(
            kubectl, "validatingadmissionpolicies.admissionregistration.k8s.io", f"--selector={OPERATOR}"
        ),
        "services": lambda: _services(kubectl),
        "may": lambda: _rights(kubectl),
    }
    with ThreadPoolExecutor(4) as pool:
        running = {name: pool.submit(_try, reader) for name, reader in readers.items()}
        found = {name: each.result() for name, each in running.items()}
        if all(error for _, error in found.values()):
            raise UnreachableError(found["version"][1])
        operators: Sequence[Json] = found["operators"][0] or []  # type: ignore[assignment]
        found["operator_may"] = _try(lambda: _operator_rights(kubectl, operators))
    values = {name: value for name, (value, error) in found.items() if not error}
    unread = {name: error for name, (_, error) in found.items() if error}
    return Cluster(**values, unread=unread)  # type: ignore[arg-type]


def _try(reader: Callable[[], object]) -> tuple[object, str]:
    try:
        return reader(), ""
    except (UnreachableError, RefusedError) as error:
        return None, str(error)


def _items(kubectl: Kubectl, *words: str) -> list[Json]:
    items: list[Json] = kubectl.json("get", *words).get("items") or []
    return items


def _crd(kubectl: Kubectl) -> Json:
    text = kubectl.run("get", "customresourcedefinitions", TTSSERVICES, "--ignore-not-found", "--output=json")
    return parsed(text) if text.strip() else {}


def _services(kubectl: Kubectl) -> list[Json]:
    try:
        items: list[Json] = kubectl.raw(GROUP_PATH).get("items") or []
    except UnreachableError as error:
        if "(Forbidden)" not in str(error):
            raise
        return _items(kubectl, TTSSERVICES)
    return items


def _rights(kubectl: Kubectl) -> dict[str, bool]:
    """Ask what the user may do in the namespace: one request for all."""
    review: Json = {
        "apiVersion": ACCESS,
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": kubectl.namespace()},
    }
    answer = kubectl.json("create", "--filename=-", stdin=json.dumps(review))
    rules = (answer.get("status") or {}).get("resourceRules") or []
    wanted = {
        "get ttsservices": ("get", "tts-operator.io", "ttsservices"),
        "list ttsservices": ("list", "tts-operator.io", "ttsservices"),
        "patch ttsservices": ("patch", "tts-operator.io", "ttsservices"),
        "list controllerrevisions": ("list", "apps", "controllerrevisions"),
        "list pods": ("list", "", "pods"),
        "get pods/log": ("get", "", "pods/log"),
        "create services/proxy": ("create", "", "services/proxy"),
        "create pods/portforward": ("create", "", "pods/portforward"),
    }
    return {name: any(_allows(rule, *what) for rule in rules) for name, what in wanted.items()}


def _allows(rule: Json, verb: str, group: str, resource: str) -> bool:
    def covers(name: str, wanted: str) -> bool:
        found = rule.get(name) or []
        return wanted in found or "*" in found

    below = f"*/{resource.partition('/')[2]}"
    resources = covers("resources", resource) or ("/" in resource and below in (rule.get("resources") or []))
    return covers("verbs", verb) and covers("apiGroups", group) and resources and not rule.get("resourceNames")


def _operator_rights(kubectl: Kubectl, operators: Sequence[Json]) -> dict[str, bool]:
    """Ask what the operator's account may create. The user needs the right to ask for others."""
    if not operators:
        return {}
    metadata, spec = operators[0]["metadata"], operators[0]["spec"]["template"]["spec"]
    user = f"system:serviceaccount:{metadata['namespace']}:{spec.get('serviceAccountName', 'default')}"
    reviews = [
        {
            "apiVersion": ACCESS,
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "resourceAttributes": {
                    "namespace": _watched(operators[0]) or kubectl.namespace(),
                    "verb": "create",
                    "group": group,
                    "resource": resource,
                },
            },
        }
        for group, resource in WRITES
    ]
    text = kubectl.run("create", "--filename=-", "--output=json", stdin=json.dumps(_list_of(reviews)))
    return {
        each["spec"]["resourceAttributes"]["resource"]: bool((each.get("status") or {}).get("allowed"))
        for each in _documents(text)
    }


def _documents(text: str) -> list[Json]:
    """Parse what kubectl prints for several objects: one after the other. Raises UnreachableError."""
    decoder, found, at = json.JSONDecoder(), [], 0
    try:
        while rest := text[at:].lstrip():
            body, length = decoder.raw_decode(rest)
            found.append(body)
            at = len(text) - len(rest) + length
    except ValueError:
        raise UnreachableError("kubectl's answer is not JSON") from None
    return found


def _list_of(items: Sequence[Json]) -> Json:
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def _watched(operator: Json) -> str:
    """The first namespace that the operator serves; empty: all."""
    names = environment(operator).get("TTS_OPERATOR_NAMESPACE", "")
    return names.partition(",")[0]


def environment(operator: Json) -> dict[str, str]:
    """Return the environment of the operator's container."""
    containers = operator["spec"]["template"]["spec"].get("containers") or [{}]
    return {each["name"]: each.get("value", "") for each in containers[0].get("env") or []}
