"""What the caches keep of objects. Those in `live/` come from a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.operator import record_live
from tts_operator.json_object import Json
from tts_operator.kube.client import FIELD_MANAGER
from tts_operator.kube.lazy_object import (
    LazyObject,
    as_lazy_object,
    fully_read,
    lazy_object,
    read_event,
    read_lazy_object,
    read_page,
)
from tts_operator.reconcile.observed.trimming import service_of_workers, trim, trim_pod, whole

LIVE = sorted(record_live.LIVE.glob("*.json"))
STRANGER = {"operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "narrator-1",
        "namespace": "speech",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "managedFields": [STRANGER],
    },
    "spec": {"nodeName": "n", "containers": [{"name": "server"}]},
    "status": {
        "phase": "Running",
        "hostIP": "10.0.0.1",
        "podIP": "10.1.0.1",
        "conditions": [
            {"type": "Initialized", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": "t"},
        ],
        "containerStatuses": [{"name": "server", "ready": False, "state": {"waiting": {"reason": "x"}}, "image": "i"}],
    },
}


def from_wire(body: Json) -> LazyObject:
    """As it comes in a watch, by way of the client."""
    return read_lazy_object(msgspec.json.encode(body), body["apiVersion"], body["kind"])


def values(found: Any) -> Iterator[Any]:
    """Whatever is in it, at any depth."""
    yield found
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        for each in found:
            yield from values(each)


@pytest.mark.parametrize("path", LIVE, ids=lambda path: path.stem)
def test_of_a_child_all_is_kept_but_its_status_and_what_others_own(path: Path) -> None:
    body: Json = msgspec.json.decode(path.read_bytes())
    body["metadata"]["managedFields"] = [STRANGER, *body["metadata"].get("managedFields", [])]
    ours = [each for each in body["metadata"]["managedFields"] if each.get("manager") == FIELD_MANAGER]
    expected = {**body, "metadata": {**body["metadata"], "managedFields": ours}}
    for kept in (trim(from_wire(body)), trim(body)):
        assert whole(kept) == expected | ({"status": body["status"]} if "status" in body else {})
        assert trim(kept) is kept


@pytest.mark.parametrize("keep, body", [(trim_pod, POD), (trim, msgspec.json.decode(LIVE[0].read_bytes()))])
def test_what_is_kept_does_not_keep_the_whole_answer_in_memory(keep: Any, body: Json) -> None:
    """A view of it would."""
    kept = keep(from_wire(body))
    assert not [each for each in values(kept) if isinstance(each, msgspec.Raw | memoryview | LazyObject)]


def test_of_a_pod_is_kept_where_it_is_and_how_it_does() -> None:
    expected = {
        "metadata": {"name": "narrator-1", "namespace": "speech", "uid": "u", "resourceVersion": "7"}
        | {"labels": {"a": "b"}},
        "spec": {"nodeName": "n"},
        "status": {
            "phase": "Running",
            "hostIP": "10.0.0.1",
            "podIP": "10.1.0.1",
            "conditions": [
                {"type": "Ready", "status": "False", "lastTransitionTime": "t", "reason": "ContainersNotReady"}
            ],
            "containerStatuses": [{"name": "server", "state": {"waiting": {"reason": "x"}}}],
        },
    }
    assert trim_pod(from_wire(POD)) == trim_pod(POD) == expected
    fresh = {name: value for name, value in POD.items() if name != "status"}
    assert trim_pod(from_wire({**fresh, "spec": {}}))["spec"] == {"nodeName": None}
    assert trim_pod(from_wire(fresh))["status"] == {"conditions": []}


def test_the_items_of_a_list_are_of_its_kind() -> None:
    bare = {name: value for name, value in POD.items() if name not in {"apiVersion", "kind"}}
    page = read_page(msgspec.json.encode({"metadata": {"resourceVersion": "9", "continue": "c"}, "items": [bare]}))
    assert (page.metadata.resource_version, page.metadata.continue_) == ("9", "c")
    [found] = [lazy_object(item, "v1", "Pod") for item in page.items or ()]
    assert (found["apiVersion"], found["kind"]) == ("v1", "Pod")
    assert found["metadata"]["labels"] == {"a": "b"}
    assert trim_pod(found) == trim_pod(POD)
    assert read_page(b'{"metadata": {"resourceVersion": "9"}, "items": null}').items is None


def test_a_bookmark_of_an_older_api_server_has_no_time_of_creation() -> None:
    line = (
        b'{"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "9", '
        b'"creationTimestamp": null}, "spec": {"containers": null}, "status": {}}}'
    )
    event = read_event(line)
    assert event.type == "BOOKMARK"
    assert read_lazy_object(event.object, "v1", "Pod")["metadata"]["resourceVersion"] == "9"


def test_a_body_that_is_sealed_stays_so() -> None:
    found = as_lazy_object(POD)
    assert as_lazy_object(found) is found
    assert isinstance(found["spec"], msgspec.Raw)
    assert fully_read(found) == POD


@pytest.mark.parametrize(
    "deployment, service", [("narrator-worker", "narrator"), ("narrator", None), ("-worker", None), ("worker", None)]
)
def test_the_service_of_workers(deployment: str, service: str | None) -> None:
    assert service_of_workers(("speech", deployment)) == (service and ("speech", service))
