"""Jobs: texts, requests, keys, and words. What talks to a server is in tests/integration/server."""

from __future__ import annotations

import base64
import datetime
import io
import json
import sys
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.cli.services import a_service
from tts_operator.cli.arguments import parse
from tts_operator.cli.jobs import download, text, view
from tts_operator.cli.jobs.api import Refusal, UnavailableError, parsed, refusal, refuse, whole
from tts_operator.cli.jobs.commands import Then
from tts_operator.cli.jobs.forward import Forward
from tts_operator.cli.jobs.keys import api_key, choose
from tts_operator.cli.jobs.progress import Progress, printable_json
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.view import SecretKey
from tts_operator.json_object import Json

ID = "job_01a227bab741af92266e9e369260"
NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.timezone.utc)
THEN = Then(flags=("--service=narrator", "--namespace=speech"))
SECRET = SecretKey(name="speech-keys", key="keys")


def body(**more: Any) -> Json:
    return {
        "id": ID,
        "status": "in_progress",
        "created_at": NOW.timestamp() - 180,
        "title": "山水",
        "voice": "aishell3-0",
        "response_format": "mp3",
        "characters": 812345,
        "progress": {"segments": 2300, "completed": 412},
        "audio": None,
        "subtitles": None,
        "chapters": [],
        "error": None,
        **more,
    }


COMPLETED = body(
    status="completed",
    progress={"segments": 2300, "completed": 2300},
    audio={"bytes": 45_200_000, "seconds": 4800.0},
    subtitles={"format": "srt"},
    chapters=[{"title": "第一章", "start": 0}],
)


# The command line


@pytest.mark.parametrize(
    "words, output, chosen",
    [
        ("book.txt", None, None),
        ("book.txt -o book.mp3", "book.mp3", "mp3"),
        ("book.txt -o book.MP3", "book.MP3", "mp3"),
        ("book.txt -o book.bin --format opus", "book.bin", "opus"),
        ("book.txt -o json", "json", None),
        ("- -o book.flac", "book.flac", "flac"),
        ("book.txt -o book.m4b", "book.m4b", "m4b"),
    ],
)
def test_the_name_of_the_output_tells_the_format(words: str, output: str | None, chosen: str | None) -> None:
    arguments = parse(["job", "submit", *words.split()])
    assert (arguments.output and str(arguments.output), arguments.format) == (output, chosen)


@pytest.mark.parametrize("words", [f"-n a job status {ID}", f"job status {ID} -n a", f"job status -n=a {ID}"])
def test_global_flags_may_stand_anywhere(words: str) -> None:
    assert parse(words.split()).namespace == "a"


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("", "COMMAND"),
        ("submit", "FILE"),
        ("submit a.txt -o a.pdf", "must end with .mp3"),
        ("submit a.txt -o a", "unless --format names the format"),
        ("submit a.txt --timeout 5m", "--timeout requires --watch"),
        ("submit a.txt --speed fast", "write 0.8 or 1.25"),
        ("submit a.txt --metadata isbn", "write isbn="),
        ("submit a.txt --metadata =1", "write isbn="),
        ("submit a.txt --idempotency-key 书", "printable ASCII"),
        ("submit a.txt --chapters heading --chapter-marker @", "not allowed with"),
        ("submit a.txt --service A", "not a valid TTSService name"),
        ("status narrator", "run `kubectl tts job list`"),
        (f"status {ID} --timeout 5m", "--timeout requires --watch"),
        ("list --limit 0", "from 1 to 10000"),
        ("list --limit ٣", "from 1 to 10000"),
        (f"download {ID}", "-o/--output"),
    ],
)
def test_what_cannot_be_understood_is_told(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["job", *words.split()])
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


# Texts


@pytest.mark.parametrize(
    "data, words",
    [
        ("山高水长".encode("gbk"), ["not UTF-8 (byte 2)", "`iconv -f GB18030 -t UTF-8 'my book.txt' > book.txt`"]),
        (b"PK\x03\x04...", ["not plain text", "`pandoc 'my book.txt' -t plain -o book.txt`"]),
        (b"%PDF-1.7", ["not plain text"]),
        (b"", ["has no text"]),
        ("\ufeff \n".encode(), ["has no text"]),
        (b"a" * 2_000_001, ["has 2,000,001 characters, and a job at most 2,000,000", "Split"]),
        (b"a" * (text.BYTES_MAX + 1), ["has more than 2,000,000 characters"]),
    ],
)
def test_a_text_that_no_job_can_read_is_refused_before_it_is_sent(data: bytes, words: list[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        text.decode(data, "my book.txt")
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_a_long_text_in_utf8_with_a_byte_order_mark() -> None:
    assert text.decode("\ufeff山高水长".encode(), "a") == "山高水长"
    assert len(text.decode("山".encode() * 2_000_000, "a")) == 2_000_000


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "none"), "nul\0"):
        with pytest.raises(RefusedError):
            text.read(name)


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("山".encode())))
    assert text.read("-") == "山".encode()


@pytest.mark.parametrize("file, kind", [("a.txt", "plain"), ("a.MD", "markdown"), ("-", "plain")])
def test_a_text_is_sent_as_it_is(file: str, kind: str) -> None:
    request = text.submission("山&水", file, {"title": "a&b 山", "speed": "1.5"}, [])
    assert request.path == "/v1/audio/jobs?title=a%26b+%E5%B1%B1&speed=1.5"
    assert request.content_type == f"text/{kind}; charset=utf-8"
    assert request.body == "山&水".encode()


def test_metadata_needs_json() -> None:
    request = text.submission("山", "a.txt", {"title": "b", "speed": "1.5"}, [("isbn", "1"), ("isbn", "2")])
    assert (request.path, request.content_type) == ("/v1/audio/jobs", "application/json")
    assert json.loads(request.body) == {"title": "b", "speed": 1.5, "metadata": {"isbn": "2"}, "input": "山"}


def test_an_argument_that_is_not_utf8() -> None:
    with pytest.raises(RefusedError, match="not UTF-8"):
        text.submission("山", "a.txt", {"title": "\udcff"}, [])


# Keys


def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Kubectl:
    """kubectl that is this shell script."""
    file = tmp_path / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Kubectl()


def test_where_the_keys_of_a_service_are() -> None:
    spec = {"server": {"auth": {"apiKeysSecretRef": {"name": "speech-keys", "key": "keys"}}}}
    assert a_service(spec=spec).api_keys == SECRET
    assert a_service().api_keys is None


def test_a_key_of_the_environment_needs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = kubectl(tmp_path, monkeypatch, "exit 1")
    assert api_key(fails, SECRET, None, {"TTS_API_KEY": " s3cret\n"}) == "s3cret"
    assert api_key(fails, None, None, {}) == ""


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "\udcff"])
def test_a_variable_that_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with pytest.raises(RefusedError, match="TTS_API_KEY is not an API key"):
        api_key(kubectl(tmp_path, monkeypatch, "exit 1"), SECRET, None, {"TTS_API_KEY": key})


def test_the_only_key_of_the_secret_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps({"data": {"keys": base64.b64encode(b'[{"name": "shop", "key": "s3cret"}]').decode()}})
    answers = kubectl(tmp_path, monkeypatch, f"[ \"$1 $2 $3\" = 'get secrets speech-keys' ] && echo '{data}'")
    assert api_key(answers, SECRET, None, {}) == "s3cret"
    assert api_key(answers, SECRET, "shop", {"TTS_API_KEY": "another"}) == "s3cret"
    with pytest.raises(RefusedError, match="has no key 'other'"):
        api_key(answers, SecretKey(name="speech-keys", key="other"), None, {})


def test_who_may_not_read_the_secret_sets_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbids = kubectl(tmp_path, monkeypatch, "echo 'Error from server (Forbidden): secrets ...' >&2; exit 1")
    with pytest.raises(RefusedError, match="Set TTS_API_KEY to yours; you may not read the Secret 'speech-keys'"):
        api_key(forbids, SECRET, None, {})


@pytest.mark.parametrize(
    "content, wanted, complaint",
    [
        ("k3y-a,k3y-b", None, "--key-name: key-1, key-2"),
        ("k3y-a k3y-b", "key-3", "no API key has the name 'key-3'; there are key-1, key-2"),
        ("", None, "has 0 API keys"),
        ('[{"name": "k3y-a"}]', None, "does not contain valid API keys"),
        ("[" * 100_000, None, "does not contain valid API keys"),
        ('[{"name": "shop", "key": "k3y-a"}, {"name": "app", "key": "k3y-b"}]', None, "--key-name: app, shop"),
    ],
)
def test_a_key_is_chosen_by_its_name_and_never_shown(content: str, wanted: str | None, complaint: str) -> None:
    with pytest.raises(RefusedError) as caught:
        choose(content, wanted)
    assert complaint in str(caught.value)
    assert "k3y" not in str(caught.value)


def test_a_plain_list_is_numbered_as_the_server_numbers_it() -> None:
    assert choose("k3y-a, k3y-b", "key-2") == "k3y-b"


# The port-forward


def test_a_forward_ends_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'echo $$ > "$0.pid"; echo "Forwarding from 127.0.0.1:43567 -> 7860"; exec sleep 600'
    forward = Forward(kubectl(tmp_path, monkeypatch, script), "narrator")
    process = Path("/proc", (tmp_path / "kubectl.pid").read_text().strip())
    assert (forward.port, forward.alive, process.exists()) == (43567, True, True)
    forward.close()
    assert (forward.alive, process.exists()) == (False, False)


@pytest.mark.parametrize(
    "script, reason",
    [
        (
            "echo 'error: timed out waiting for the condition' >&2; exit 1",
            "the Service 'narrator' leads to no running pod",
        ),
        ("echo 'error: unable to forward port' >&2; exit 1", "unable to forward port"),
        ("echo 'Error from server (NotFound): no' >&2; exit 1", "Error from server (NotFound): no"),
        ("echo something else; exit 0", "kubectl port-forward does not listen at any port"),
    ],
)
def test_why_there_is_no_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        Forward(kubectl(tmp_path, monkeypatch, script), "narrator")
    assert str(caught.value).startswith(reason)


# Answers


@pytest.mark.parametrize(
    "status, code, words",
    [
        (401, "invalid_api_key", ["Set TTS_API_KEY"]),
        (404, "job_not_found", ["`kubectl tts job list --service=narrator --namespace=speech`"]),
        (404, "jobs_disabled", ["Long texts"]),
        (404, "not_found", ["newer image"]),
        (429, "too_many_jobs", ["`kubectl tts job list"]),
        (400, "unknown_voice", ["It says."]),
    ],
)
def test_a_refusal_says_what_to_type_next(status: int, code: str, words: list[str]) -> None:
    data = json.dumps({"error": {"message": "It says.", "code": code}}).encode()
    with pytest.raises(RefusedError) as caught:
        refuse(refusal(status, "", data), THEN)
    assert [word for word in ["It says.", *words] if word not in str(caught.value)] == []


@pytest.mark.parametrize("retry_after, pause", [("7", 7), ("0", 2), ("", 2), ("soon", 2), ("99999", 30)])
def test_what_may_succeed_later_is_tried_again(retry_after: str, pause: float) -> None:
    with pytest.raises(UnavailableError) as caught:
        refuse(Refusal(status=503, code="model_loading", message="Loading.", retry_after=retry_after), THEN)
    assert caught.value.pause == pause


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {}}', b"[" * 100_000])
def test_an_error_without_openai_s_shape(data: bytes) -> None:
    assert refusal(502, "1", data) == Refusal(
        status=502, code="", message="the server answered with HTTP status 502", retry_after=""
    )


@pytest.mark.parametrize("most", range(21, 55))
def test_an_answer_that_breaks_off_is_none(most: int) -> None:
    with pytest.raises(IncompleteRead):
        whole(received(ANSWER[:most]))


def test_an_answer_that_is_whole() -> None:
    assert whole(received(ANSWER)) == b'{"a": "b"}'


ANSWER = b'HTTP/1.1 202 ACCEPTED\r\nContent-Length: 10\r\n\r\n{"a": "b"}'


def received(data: bytes) -> HTTPResponse:
    connection: Any = SimpleNamespace(makefile=lambda _: io.BytesIO(data))
    response = HTTPResponse(connection, method="POST")
    response.begin()
    return response


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_no_answer(data: bytes) -> None:
    with pytest.raises(UnreachableError, match="check what the Service leads to"):
        parsed(data)


@pytest.mark.parametrize(
    "more", [{"id": "job_1"}, {"id": None}, {"audio": {"bytes": "x"}}, {"created_at": 1e300}, {"chapters": None}]
)
def test_what_is_no_job_is_told(more: Json) -> None:
    with pytest.raises(UnreachableError, match="is not a job"):
        view.job(body(**more))


# Words


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


def test_without_a_terminal_a_job_has_about_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=False, is_terminal=False)
    for done in range(1000):
        found = body(progress={"segments": 1000, "completed": done})
        progress.show(view.job(found), found)
    progress.show(view.job(COMPLETED), COMPLETED)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 11
    assert err == ""


def test_on_a_terminal_there_is_a_bar_and_it_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=False, is_terminal=True)
    progress.show(view.job(body()), body())
    progress.show_download(1, 2)
    progress.end()
    out, err = capsys.readouterr()
    assert out == ""
    assert "412 of 2300 segments" in err
    assert err.endswith("\r\x1b[K")


def test_programs_get_a_document_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(as_json=True, is_terminal=True)
    for found in (body(), body(), COMPLETED):
        progress.show(view.job(found), found)
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [body(), COMPLETED]
    assert err == ""


@pytest.mark.parametrize("audio, captions", [("a/b.mp3", "a/b.srt"), ("b", "b.srt"), ("b.srt", "b.srt.srt")])
def test_captions_are_beside_the_audio(audio: str, captions: str) -> None:
    assert download.beside(Path(audio), "srt") == Path(captions)


def test_where_nothing_can_be_saved_is_told_before_the_job(tmp_path: Path) -> None:
    download.check(tmp_path / "book.mp3")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RefusedError, match="is a directory"):
        download.check(tmp_path)
    with pytest.raises(RefusedError, match="No such file"):
        download.check(tmp_path / "none" / "book.mp3")
