"""What tests install on the cluster. The API server learns of it from watches; these functions wait until it has."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import yaml

from devcluster.product import Product
from tests.integration.operator.world import PATIENCE
from tts_operator.json_object import Json


def serve(product: Product, definitions: Sequence[Json]) -> None:
    """Apply CustomResourceDefinitions, and wait until the API server serves their kinds."""
    product.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(definitions))
    names = [body["metadata"]["name"] for body in definitions]
    deadline = time.monotonic() + PATIENCE
    while "items" not in product.kubectl("get", ",".join(names), "-A", "-o", "json", check=False):
        assert time.monotonic() < deadline, f"not served within {PATIENCE:.0f} s: {', '.join(names)}"


def grant(product: Product, manifests: Sequence[Json], user: str) -> None:
    """Apply manifests, of which the bindings become this user's, and wait until the user has their rights."""
    for body in _bindings(manifests):
        body["subjects"] = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    product.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(manifests))
    _until_rights(product, manifests, user, granted=True)


def withdraw(product: Product, manifests: Sequence[Json], user: str) -> None:
    """Delete roles and bindings, and wait until the user has their rights no more."""
    product.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=yaml.safe_dump_all(manifests))
    _until_rights(product, manifests, user, granted=False)


def _bindings(manifests: Sequence[Json]) -> list[Json]:
    return [body for body in manifests if body["kind"].endswith("Binding") and "subjects" in body]


def _until_rights(product: Product, manifests: Sequence[Json], user: str, *, granted: bool) -> None:
    """Ask for one right of each binding: the API server knows a role as a whole, or not."""
    deadline = time.monotonic() + PATIENCE
    for words in _questions(manifests):
        asked = ("auth", "can-i", *words, f"--as={user}")
        while product.kubectl(*asked, check=False).startswith("yes") is not granted:
            wanted = "yes" if granted else "no"
            assert time.monotonic() < deadline, f"no answer {wanted!r} within {PATIENCE:.0f} s: {' '.join(asked)}"


def _questions(manifests: Sequence[Json]) -> Iterator[list[str]]:
    """Verb, resource, and namespace of a right that each binding gives."""
    for binding in _bindings(manifests):
        namespace = binding["metadata"].get("namespace")
        for role in manifests:
            of_namespace = role["kind"] == "ClusterRole" or role["metadata"].get("namespace") == namespace
            named = (role["kind"], role["metadata"]["name"]) == (binding["roleRef"]["kind"], binding["roleRef"]["name"])
            rule = next((each for each in role.get("rules", ()) if "resourceNames" not in each), None)
            if named and of_namespace and rule is not None:
                group, resource = rule["apiGroups"][0], rule["resources"][0]
                asked = [rule["verbs"][0], f"{resource}.{group}" if group else resource]
                yield [*asked, f"--namespace={namespace}"] if namespace else [*asked, "--all-namespaces"]
