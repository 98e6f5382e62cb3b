"""`say`, `voices`, and `phonemes`, with a program in the place of kubectl that has the API server's proxy."""

from __future__ import annotations

import base64
import json
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.cli.recorded import ran
from tests.unit.cli.services_in_states import body
from tts_operator.json_object import Json

PREFIX = "/api/v1/namespaces/speech/services/narrator:http/proxy"
AUDIO = b"RIFF" + bytes(range(256)) * 1000
KUBECTL = """\
#!{python}
import http.server, json, os, socketserver, sys
folder, words = {folder!r}, sys.argv[1:]
def read(name):
    return open(os.path.join(folder, name), "rb").read()
with open(os.path.join(folder, "runs"), "a") as file:
    file.write(json.dumps(words) + "\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args):
        pass
    def do(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(os.path.join(folder, "requests"), "a") as file:
            file.write(json.dumps([self.command, self.path, data.decode(), self.headers.get("Authorization")]) + "\\n")
        status, content = int(read("status")), read("answer")
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) + int(read("missing"))))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True
    do_GET = do_POST = do
class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    def get_request(self):
        return self.socket.accept()[0], ("local", 0)
if words[0] == "get" and words[1] == "secrets":
    sys.stdout.write(read("secret").decode())
elif words[0] == "get":
    sys.stdout.write(read("service").decode())
elif words[0] == "proxy":
    if os.path.exists(os.path.join(folder, "refused")):
        sys.exit("error: " + read("refused").decode())
    path = next(each for each in words if each.startswith("--unix-socket=")).partition("=")[2]
    server = Unix(path, Handler)
    print("Starting to serve on " + path, flush=True)
    server.serve_forever()
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("Forwarding from 127.0.0.1:%d -> 7860" % server.server_address[1], flush=True)
    server.serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "kubectl"
    script.write_text(textwrap.dedent(KUBECTL).format(python=sys.executable, folder=str(tmp_path)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("tts_operator.cli.speech.say.PLAYERS", (("aplay-of-the-test", "-q"),))
    monkeypatch.delenv("TTS_API_KEY", raising=False)
    monkeypatch.setattr("tts_operator.cli.server.api.PAUSE", 0.0)
    for name, content in (("service", json.dumps(body())), ("status", "200"), ("missing", "0")):
        (tmp_path / name).write_text(content)
    (tmp_path / "answer").write_bytes(AUDIO)
    return tmp_path


def requests(folder: Path) -> list[list[str | None]]:
    return [json.loads(each) for each in (folder / "requests").read_text().splitlines()]


def answer(folder: Path, status: int, content: Json) -> None:
    (folder / "status").write_text(str(status))
    (folder / "answer").write_text(json.dumps(content))


def test_a_text_becomes_a_file_through_the_api_server(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "out.wav"
    result = ran(capsys, "say", "narrator", "山高水长", "-o", str(file), "--speed", "1.5", "-n", "speech")
    assert (result.code, result.err) == (0, "")
    assert file.read_bytes() == AUDIO
    assert result.out.startswith(f"Saved {file}: 256.0 kB in ")
    ((method, path, sent, authorization),) = requests(folder)
    assert (method, path, authorization) == ("POST", f"{PREFIX}/v1/audio/speech", None)
    assert json.loads(sent or "") == {"input": "山高水长", "response_format": "wav", "speed": 1.5}
    runs = [json.loads(each) for each in (folder / "runs").read_text().splitlines()]
    assert not [each for each in runs if each[0] == "port-forward"]
    (proxy,) = [each for each in runs if each[0] == "proxy"]
    assert proxy[2:] == [f"--accept-paths=^{PREFIX}/", "--namespace=speech"]
    assert not list(folder.glob("*.part"))


def test_a_service_that_wants_a_key_is_reached_by_a_port_forward(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    auth = {"auth": {"apiKeysSecretRef": {"name": "keys", "key": "keys"}}}
    (folder / "service").write_text(json.dumps(body(spec={"server": auth})))
    (folder / "secret").write_text(json.dumps({"data": {"keys": base64.b64encode(b"s3cret").decode()}}))
    assert ran(capsys, "say", "narrator", "山", "-o", str(folder / "a.mp3")).code == 0
    ((_, path, _, authorization),) = requests(folder)
    assert (path, authorization) == ("/v1/audio/speech", "Bearer s3cret")


def test_it_is_played(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    player = folder / "aplay-of-the-test"
    player.write_text(f'#!/bin/sh\ncp "$2" {folder}/played\n')
    player.chmod(0o755)
    assert ran(capsys, "say", "narrator", "山", "--play").code == 0
    assert (folder / "played").read_bytes() == AUDIO
    player.write_text("#!/bin/sh\nexit 3\n")
    result = ran(capsys, "say", "narrator", "山", "--play")
    assert (result.code, "aplay-of-the-test cannot play it (exit code 3)" in result.err) == (3, True)


@pytest.mark.parametrize(
    "status, content, code, words",
    [
        (400, {"error": {"code": "input_too_long", "message": "It is too long."}}, 3, "`kubectl tts job submit"),
        (
            400,
            {"error": {"code": "unknown_voice", "message": "No voice."}},
            3,
            "`kubectl tts voices narrator` lists them",
        ),
        (401, {"error": {"code": "invalid_api_key", "message": "No key."}}, 3, "Set TTS_API_KEY"),
        (503, {"error": {"code": "overloaded", "message": "It is full."}}, 4, "It is full."),
        (503, {"kind": "Status", "message": 'no endpoints available for service "narrator"'}, 4, "no endpoints"),
        (403, {"kind": "Status", "message": 'cannot create resource "services/proxy"'}, 3, "right to `create`"),
    ],
)
def test_errors_of_the_server_and_of_the_api_server(
    status: int, content: Json, code: int, words: str, *, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(folder, status, content)
    result = ran(capsys, "say", "narrator", "山", "-o", str(folder / "a.wav"))
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert not list(folder.glob("a.wav*"))


def test_audio_that_breaks_off_leaves_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "missing").write_text("5")
    result = ran(capsys, "say", "narrator", "山", "-o", str(folder / "a.wav"))
    assert (result.code, "broke" in result.err) == (4, True)
    assert not list(folder.glob("a.wav*"))


def test_a_proxy_that_does_not_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "refused").write_text("unknown flag: --unix-socket")
    result = ran(capsys, "voices", "narrator")
    assert (result.code, result.err) == (4, "error: unknown flag: --unix-socket\n")


@pytest.mark.parametrize(
    "words, code, complaint",
    [
        (["山"], 2, "-o FILE, or --play"),
        (["山", "-o", "a.pdf"], 2, "must end with .mp3"),
        (["山", "-o", "."], 3, "is a directory"),
        ([" ", "-o", "a.wav"], 2, "the text is empty"),
        (["山" * 100_001, "-o", "a.wav"], 3, "longer than 100,000"),
        (["\udcff", "-o", "a.wav"], 3, "not UTF-8"),
        (["山", "--play"], 3, "there is no player"),
        (["山", "-o", "a.wav", "--speed", "9"], 2, "--speed"),
        (["山", "-o", "/nowhere/a.wav"], 3, "cannot write"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_said(words: list[str], code: int, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = ran(capsys, "say", "narrator", *words)
    assert (result.code, result.out) == (code, "")
    assert complaint in result.err


def test_the_voices(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voices = [
        {"id": "baker", "name": "标贝", "language": "zh-CN", "default": True, "emotions": ["neutral"]},
        {"id": "x\x1b", "name": "", "language": "zh-CN", "default": False, "emotions": []},
    ]
    answer(folder, 200, {"voices": voices})
    result = ran(capsys, "voices", "narrator")
    assert [line.split() for line in result.out.splitlines()] == [
        ["VOICE", "NAME", "LANGUAGE", "EMOTIONS"],
        ["baker", "(default)", "标贝", "zh-CN", "neutral"],
        ["x", "-", "zh-CN", "-"],
    ]
    assert json.loads(ran(capsys, "voices", "narrator", "-o", "json").out)["voices"][0]["id"] == "baker"
    answer(folder, 200, {"voices": 5})
    assert "is not a list of voices" in ran(capsys, "voices", "narrator").err


def test_how_a_text_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    syllables = [
        {"text": "找", "pinyin": "zhao3", "phonemes": ["zh", "ao3"], "source": "text", "reading": "character"},
        {"text": "行", "pinyin": "hang2", "phonemes": ["h", "ang2"], "source": "lexicon", "reading": "phrase"},
    ]
    rules = [{"written": "3", "spoken": "三", "rules": ["cardinal"]}]
    sentences = [{"clauses": [{"text": "找行", "syllables": syllables}]}]
    found = {"engine": "fastspeech2", "normalized": "找行三", "rules": rules, "sentences": sentences}
    answer(folder, 200, found)
    result = ran(capsys, "phonemes", "narrator", "找行3")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "Spoken: 找行三",
        "  3 -> 三 (cardinal)",
        "",
        "TEXT   PINYIN   PHONEMES   BECAUSE OF",
        "找     zhao3    zh ao3",
        "行     hang2    h ang2     lexicon, phrase",
    ]
    answer(folder, 200, {**found, "engine": "modelscope", "sentences": [{"clauses": None}]})
    assert "modelscope does not tell" in ran(capsys, "phonemes", "narrator", "找").out
