"""Extract from an object what was applied. The objects in `live/` come from a real API server."""

import json
from pathlib import Path

import pytest

from tests.unit.operator.reconcile.children.test_diff import LEFT_ALONE
from tests.unit.operator.record_live import LIVE, MANAGER
from tts_operator.json_object import Json
from tts_operator.reconcile.children.diff import is_up_to_date
from tts_operator.reconcile.observed.managed_fields import extract, fields_of

ALIKE = sorted(path.stem for path in Path(LIVE).glob("*.json") if path.stem in LEFT_ALONE)


@pytest.mark.parametrize("case", ALIKE)
def test_what_is_extracted_is_what_was_applied(case: str) -> None:
    live: Json = json.loads((LIVE / f"{case}.json").read_text())
    found = extract(live, fields_of(live, MANAGER))
    metadata = {name: live["metadata"][name] for name in ("name", "namespace") if name in live["metadata"]}
    assert is_up_to_date(live, {**found, "metadata": {**found.get("metadata", {}), **metadata}}, MANAGER)


def test_what_others_have_added_is_left_out() -> None:
    live: Json = json.loads((LIVE / "sidecar_injected.json").read_text())
    template = extract(live, fields_of(live, MANAGER))["spec"]["template"]
    assert len(template["spec"]["containers"]) < len(live["spec"]["template"]["spec"]["containers"])


def test_of_a_set_the_own_values_are_found() -> None:
    assert extract({"a": ["x", "y"]}, {"f:a": {'v:"x"': {}}}) == {"a": ["x"]}
