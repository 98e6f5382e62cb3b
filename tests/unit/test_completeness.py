"""What a feature brings along, as far as a test can hold it. CONTRIBUTING.md has the list."""

import re

import pytest

from devcluster.product import ROOT
from tests.unit.operator.worlds import DEFAULTS, everything, service
from tts_operator.desired import children

RUNBOOKS = ROOT / "docs/runbooks"
PAGES = sorted(path.stem for path in RUNBOOKS.glob("TTS*.md") if "." not in path.stem)
"""Translations have their language in the name: ALERT.zh.md."""
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def alerts_of_a_service() -> set[str]:
    """The alerts that the operator creates."""
    spec = everything()
    spec["rollout"]["paused"] = False
    (rule,) = (each for each in children(service(spec), DEFAULTS) if each["kind"] == "PrometheusRule")
    return {each["alert"] for each in rule["spec"]["groups"][0]["rules"] if "alert" in each}


def alerts_of_the_operator() -> set[str]:
    """The alerts that the chart creates."""
    template = (ROOT / "charts/tts-operator/templates/prometheusrule.yaml").read_text()
    return set(re.findall(r"- alert: (\w+)", template))


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    service, operator = alerts_of_a_service(), alerts_of_the_operator()
    assert service
    assert operator
    assert set(PAGES) == service | operator


@pytest.mark.parametrize("page", PAGES)
def test_a_runbook_says_what_it_means_and_what_to_do(page: str) -> None:
    text = (RUNBOOKS / f"{page}.md").read_text()
    assert text.startswith(f"# {page}\n\nSeverity: `")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    assert "kubectl" in diagnosis
    assert "```" in diagnosis


def test_the_documentation_lists_every_alert_with_its_page() -> None:
    listed = re.findall(
        r"^\| \[`(TTS\w+)`\]\(runbooks/(\w+)\.md\)", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert all(name == page for name, page in listed)
    assert sorted(name for name, _ in listed) == PAGES
