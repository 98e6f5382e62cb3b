"""Progress, on a terminal and without one."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.jobs.documents import COMPLETED, body
from tts_operator.cli.jobs import view
from tts_operator.cli.jobs.progress import Progress


def test_without_a_terminal_a_job_has_about_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(printed=None, is_terminal=False)
    for done in range(1000):
        found = body(progress={"segments": 1000, "completed": done})
        progress.show(view.job(found), found)
    progress.show(view.job(COMPLETED), COMPLETED)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 11
    assert err == ""


def test_on_a_terminal_there_is_a_bar_and_it_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(printed=None, is_terminal=True)
    progress.show(view.job(body()), body())
    progress.show_download(1, 2)
    progress.end()
    out, err = capsys.readouterr()
    assert out == ""
    assert "412 of 2300 segments" in err
    assert err.endswith("\r\x1b[K")


def test_programs_get_a_document_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(printed="json", is_terminal=True)
    for found in (body(), body(), COMPLETED):
        progress.show(view.job(found), found)
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [body(), COMPLETED]
    assert err == ""
