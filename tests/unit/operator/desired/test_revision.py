"""When a spec asks for other pods, and when only the operator has changed."""

from typing import Any
from unittest import mock

import pytest

from tests.unit.operator.worlds import DEFAULTS, UID, applied, everything, service
from tts_operator.desired.revision import inputs, revisions_of, same_inputs, wanted_revision
from tts_operator.json_object import Json

NEWER = "ghcr.io/tts-operator/tts-server:v9"


def kept(spec: Json, number: int = 1, **metadata: Any) -> Json:
    """The ControllerRevision of a spec, as it is in the cluster."""
    found = wanted_revision(service(spec, **metadata), DEFAULTS.image, [])
    return {**applied(found.manifest(service(spec))), "revision": number}


@pytest.mark.parametrize("spec", [{}, everything()], ids=["defaults", "everything"])
def test_a_newer_operator_keeps_the_pods(spec: Json) -> None:
    before = kept(spec)
    with mock.patch("tts_operator.desired.revision.pod_template", return_value={"metadata": {"labels": {}}}):
        found = wanted_revision(service(spec), NEWER, revisions_of([before]))
    assert found.template == before["data"]["template"]
    assert found.manifest(service(spec))["metadata"]["name"] == before["metadata"]["name"]


@pytest.mark.parametrize("spec", [{"replicas": 9}, {"service": {"port": 81}}, {"paused": True}])
def test_what_is_not_about_the_pods_is_no_revision(spec: Json) -> None:
    before = kept({})
    assert wanted_revision(service(spec), NEWER, revisions_of([before])).name == before["metadata"]["name"]


@pytest.mark.parametrize(
    "spec", [{"server": {"logLevel": "debug"}}, {"podTemplate": {"metadata": {}}}, {"image": {"repository": "a"}}]
)
def test_a_change_of_the_pods_is_one_and_brings_the_present_defaults(spec: Json) -> None:
    found = wanted_revision(service(spec), NEWER, revisions_of([kept({}, 4)]))
    assert found.number == 5
    image = found.template["spec"]["containers"][0]["image"]
    assert image == (NEWER if "image" not in spec else "a:v9")


def test_going_back_makes_the_old_one_the_newest() -> None:
    old, new = kept({}, 1), kept({"server": {"logLevel": "debug"}}, 2)
    found = wanted_revision(service(), DEFAULTS.image, revisions_of([old, new]))
    assert (found.name, found.number) == (old["metadata"]["name"], 3)


def test_the_user_can_ask_for_the_present_defaults() -> None:
    asked = service(annotations={"tts-operator.io/refresh": "2026-01-01"})
    found = wanted_revision(asked, NEWER, revisions_of([kept({})]))
    assert found.template["spec"]["containers"][0]["image"] == NEWER
    again = {**applied(found.manifest(asked)), "revision": 2}
    assert wanted_revision(asked, "another:v10", revisions_of([kept({}), again])).template == found.template


def test_another_life_of_the_object_has_the_same_name() -> None:
    assert UID not in kept({})["metadata"]["name"]


SILENT: Json = {"server": {"cache": {"size": 64}, "level": "info"}, "voices": []}


@pytest.mark.parametrize(
    "recorded, asked, same",
    [
        ({}, {}, True),
        (SILENT, SILENT, True),
        ({}, SILENT, True),  # fields that came with a newer API, at their defaults
        ({"server": {"level": "info"}}, SILENT, True),
        ({"server": {"level": "debug"}}, SILENT, False),
        ({}, {"voices": ["a"]}, False),
        ({"voices": ["a"]}, {"voices": ["a", "b"]}, False),
        ({"name": "a"}, {}, False),  # taken out of the spec
        ({"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "2"}}, False),
        ({"server": {"level": "debug"}}, {"server": {"level": "debug", "cache": {"size": 64}}}, True),
    ],
)
def test_same_inputs(recorded: Json, asked: Json, same: bool) -> None:
    assert same_inputs(recorded, asked, SILENT) is same


def test_inputs_are_json_of_the_spec() -> None:
    found = inputs(service({"model": {"voices": ["a"]}}))
    assert found["model"] == {"engine": "fastspeech2", "voices": ["a"]}
    assert "replicas" not in found


def test_a_spec_that_goes_back_under_a_newer_operator_gets_its_own_template_back() -> None:
    first = wanted_revision(service(), "example.com/speech:v1", ())
    second = wanted_revision(service({"server": {"logLevel": "debug"}}), "example.com/speech:v1", [first])
    again = wanted_revision(service(), "example.com/speech:v2", [first, second])
    assert (again.name, again.number) == (first.name, 3)
    assert again.template == first.template
