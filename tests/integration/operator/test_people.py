"""What users may do to TTSServices: the chart extends Kubernetes' own roles."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from devcluster.product import Product

NAMESPACE = "people"
ROLES = ("admin", "edit", "view")
READ, WRITE = ("get", "list", "watch"), ("create", "update", "patch", "delete", "deletecollection")
PATIENCE = 30.0
RIGHTS = {
    **{("ttsservices", "", verb): ROLES for verb in READ},
    **{("ttsservices", "", verb): ("admin", "edit") for verb in WRITE},
    ("ttsservices", "scale", "get"): ROLES,
    ("ttsservices", "scale", "update"): ("admin", "edit"),
    ("ttsservices", "scale", "patch"): ("admin", "edit"),
    ("ttsservices", "status", "patch"): (),
    ("ttsservices", "status", "update"): (),
    ("ttsservices", "finalizers", "update"): (),
}
"""Of resource, subresource and verb: who has it."""
AGGREGATED = (("ttsservices", "", "get"), ("ttsservices", "", "create"))


@pytest.fixture(scope="module")
def people(installed: Product) -> Iterator[Product]:
    """One user for each role, in one namespace."""
    installed.kubectl("create", "namespace", NAMESPACE)
    try:
        for role in ROLES:
            installed.kubectl("-n", NAMESPACE, "create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}")
        deadline = time.monotonic() + PATIENCE
        # One right to read and one to write: each role is aggregated as a whole, one after the other.
        while not all(may(installed, role, right) for right in AGGREGATED for role in RIGHTS[right]):
            assert time.monotonic() < deadline, f"the roles are not aggregated within {PATIENCE:.0f} s"
        yield installed
    finally:
        installed.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def may(product: Product, user: str, right: tuple[str, str, str], namespace: str = NAMESPACE) -> bool:
    """The API server's response to a SelfSubjectAccessReview of this user."""
    resource, sub, verb = right
    asked = ("auth", "can-i", verb, f"{resource}.tts-operator.io", *([f"--subresource={sub}"] if sub else []))
    said = product.kubectl(*asked, f"--as={user}", "-n", namespace, check=False).strip()
    assert said in {"yes", "no"}
    return said == "yes"


@pytest.mark.parametrize("right", RIGHTS, ids="-".join)
def test_each_role_has_its_rights(people: Product, right: tuple[str, str, str]) -> None:
    assert {role for role in ROLES if may(people, role, right)} == set(RIGHTS[right])


def test_a_role_in_one_namespace_gives_nothing_in_another(people: Product) -> None:
    assert not any(may(people, role, ("ttsservices", "", "get"), namespace="default") for role in ROLES)


def test_who_may_edit_makes_a_service_and_scales_it(people: Product) -> None:
    manifest = '{"apiVersion":"tts-operator.io/v1alpha1","kind":"TTSService","metadata":{"name":"own"},"spec":{}}'
    editor = ("-n", NAMESPACE, "--as=edit")
    assert "created" in people.kubectl(*editor, "apply", "-f", "-", stdin=manifest)
    assert "scaled" in people.kubectl(*editor, "scale", "tts/own", "--replicas=4")
    assert "deleted" in people.kubectl(*editor, "delete", "tts", "own")
