from __future__ import annotations

import pytest
import yaml

from devcluster.product import ROOT
from release.version import VersionError, check_chart, declared, notes

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- New

## [0.1.0] - 2026-01-01

- First
"""


def test_all_places_of_this_checkout_agree() -> None:
    version = declared((ROOT / "operator/tts_operator/__init__.py").read_text())
    check_chart(version, (ROOT / "charts/tts-operator/Chart.yaml").read_text())


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(VersionError, match=r"MAJOR\.MINOR\.PATCH"):
        declared('__version__ = "next"')
    assert declared('"""Doc."""\n\n__version__ = "1.2.3-rc.1"\n') == "1.2.3-rc.1"


def test_a_chart_of_another_version_is_refused() -> None:
    with pytest.raises(VersionError, match=r"appVersion is 0\.2\.0: write v0\.2\.0"):
        check_chart("0.2.0", yaml.safe_dump({"version": "0.2.0", "appVersion": "0.2.0"}))


def test_notes_are_the_section_of_the_version() -> None:
    assert notes("0.1.0", CHANGELOG) == "- First\n"
    assert notes("Unreleased", CHANGELOG) == "### Added\n\n- New\n"
    with pytest.raises(VersionError, match=r"has no section for 0\.2\.0"):
        notes("0.2.0", CHANGELOG)
