"""The version of a release, and whether all places agree on it. No I/O."""

from __future__ import annotations

import re

import yaml

_VERSION = re.compile(r'^__version__ = "(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)"$', re.MULTILINE)


class VersionError(ValueError):
    """The places that name the version do not agree, or the changelog does not describe it."""


def declared(init: str) -> str:
    """Return the version in the text of tts_operator/__init__.py."""
    match = _VERSION.search(init)
    if match is None:
        raise VersionError('operator/tts_operator/__init__.py: write __version__ = "MAJOR.MINOR.PATCH"')
    return match[1]


def check_chart(version: str, chart: str) -> None:
    """Raise VersionError unless Chart.yaml, given its text, has the version."""
    about = yaml.safe_load(chart)
    for field, wanted in (("version", version), ("appVersion", f"v{version}")):
        if about[field] != wanted:
            raise VersionError(f"charts/tts-operator/Chart.yaml: {field} is {about[field]}: write {wanted}")


def notes(version: str, changelog: str) -> str:
    """Return what CHANGELOG.md, given its text, says about the version. Raises VersionError if that is nothing."""
    sections = re.split(r"^## \[(.+?)\].*$", changelog, flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True)).get(version, "").strip()
    if not found:
        raise VersionError(
            f"CHANGELOG.md has no section for {version}: move what is below [Unreleased] to `## [{version}] - DATE`, "
            "or build a snapshot, with SNAPSHOT=1"
        )
    return found + "\n"
