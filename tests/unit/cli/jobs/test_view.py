"""Jobs in words."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.jobs.documents import COMPLETED, ID, NOW, body
from tts_operator.cli.jobs import view
from tts_operator.cli.jobs.follow import Then
from tts_operator.cli.output import printable_json
from tts_operator.json_object import Json


@pytest.mark.parametrize(
    "found, words",
    [
        (body(), "in progress: 412 of 2300 segments, 17 %"),
        (body(status="queued", progress={"segments": 0, "completed": 0}), "queued"),
        (COMPLETED, "completed: 1 h 20 min of audio, 45.2 MB"),
        (body(status="failed", error={"code": "spoils", "message": "It fails."}), "failed: It fails. (spoils)"),
        (body(status="cancelled", progress=None), "cancelled"),
    ],
)
def test_a_job_in_one_line(found: Json, words: str) -> None:
    assert view.headline(view.job(found)) == words


def test_a_job_in_progress() -> None:
    assert view.block(view.job(body()), NOW, Then(flags=())).splitlines() == [
        f"{ID}: in progress: 412 of 2300 segments, 17 %",
        "  Title      山水",
        "  Text       812,345 characters",
        "  Voice      aishell3-0",
        "  Format     mp3",
        "  Submitted  3 min ago",
        f"  Next       `kubectl tts job status {ID} --watch` follows it; `kubectl tts job cancel {ID}` ends it",
    ]


def test_a_job_that_is_complete() -> None:
    shown = view.block(view.job(COMPLETED), NOW, Then(flags=()))
    assert "  Chapters   1\n" in shown
    assert "  Format     mp3, with captions (srt)\n" in shown
    assert f"`kubectl tts job download {ID} -o {ID}.mp3` saves the audio" in shown


def test_a_list_of_jobs() -> None:
    jobs = [view.job(each) for each in (COMPLETED, body(title=""), body(status="failed", title="长" * 99))]
    assert view.listing(jobs, NOW).splitlines() == [
        "ID                                 STATUS        DONE    AGE     CHARACTERS   TITLE",
        f"{ID}   completed     100 %   3 min   812,345      山水",
        f"{ID}   in_progress   17 %    3 min   812,345      -",
        f"{ID}   failed        -       3 min   812,345      {'长' * 39}…",
    ]


def test_what_others_wrote_does_not_steer_the_terminal() -> None:
    evil = "\x1b[2J\u202e\x9b"
    assert view.job(body(title=f"a{evil}b")).title == "a [2J b"
    shown = printable_json(body(title=evil), indent=2)
    assert set(filter(lambda each: not each.isprintable(), shown)) == {"\n"}
    assert json.loads(shown) == body(title=evil)


def test_a_bar() -> None:
    assert view.bar(0.0, "a") == f"[{'-' * 24}]   0 %  a"
    assert view.bar(0.5, "a") == f"[{'#' * 12}{'-' * 12}]  50 %  a"
    assert view.bar(1.0, "a") == f"[{'#' * 24}] 100 %  a"


@pytest.mark.parametrize(
    "share, first, seconds, expected",
    [(0.5, 0.0, 60, 60), (0.75, 0.5, 60, 60), (0.5, 0.5, 60, None), (0.5, 0.0, 0, None), (1.0, 0.0, 60, 0)],
)
def test_how_long_a_job_still_takes(share: float, first: float, seconds: float, expected: float | None) -> None:
    assert view.left(share, first, seconds) == expected
