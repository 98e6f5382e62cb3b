"""The command line without a server."""

import subprocess
import sys
import wave
from pathlib import Path

import pytest
import soundfile

from .conftest import ROOT


def run(*arguments: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tts_server", *arguments],
        cwd=ROOT,
        env={"XDG_CACHE_HOME": str(cache), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_say(tmp_path: Path, cache: Path) -> None:
    target = tmp_path / "hello.wav"
    result = run("say", "您好，世界。", "-o", str(target), cache=cache)
    assert result.returncode == 0, result.stderr
    with wave.open(str(target)) as sound:
        assert sound.getframerate() == 24000
        assert sound.getnframes() > 12000


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac"])
def test_say_in_the_format_of_the_file_name(tmp_path: Path, cache: Path, name: str) -> None:
    result = run("say", "您好，世界。", "-o", str(tmp_path / name), "--emotion", "happy", cache=cache)
    assert result.returncode == 0, result.stderr
    samples, rate = soundfile.read(tmp_path / name)
    assert len(samples) / rate > 0.5


def test_say_to_a_file_of_no_format(tmp_path: Path, cache: Path) -> None:
    result = run("say", "您好", "-o", str(tmp_path / "a.txt"), cache=cache)
    assert result.returncode == 2
    assert "must end in .mp3, .opus, .aac, .flac, .wav, .pcm, .g722, .ogg, .alaw, .al, .ulaw or .ul." in result.stderr


def test_say_for_a_telephone(tmp_path: Path, cache: Path) -> None:
    wav, raw = tmp_path / "a.wav", tmp_path / "a.ulaw"
    for target in (wav, raw):
        result = run("say", "您好。", "-o", str(target), "--sample-rate", "8000", "--volume", "1.5", cache=cache)
        assert result.returncode == 0, result.stderr
    samples, rate = soundfile.read(wav)
    assert rate == 8000
    assert len(samples) == pytest.approx(raw.stat().st_size, abs=1)


@pytest.mark.parametrize(
    "arguments,says",
    [
        (
            ("a.opus", "--sample-rate", "8000"),
            "The sample rate of opus is 48000 Hz, not 8000. These formats can have it",
        ),
        (("a.wav", "--sample-rate", "11025"), "The sample rate of wav is 8000, 16000,"),
        (("a.wav", "--pitch", "3"), "--pitch must be from 0.5 to 2."),
        (("a.wav", "--volume", "-1"), "--volume must be from 0 to 2."),
        (("a.wav", "--speed", "5"), "--speed must be from 0.25 to 4."),
    ],
)
def test_say_in_an_impossible_way(tmp_path: Path, cache: Path, arguments: tuple[str, ...], says: str) -> None:
    name, *options = arguments
    result = run("say", "您好", "-o", str(tmp_path / name), *options, cache=cache)
    assert (result.returncode, says in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / name).exists()


def test_say_what_cannot_be_said(tmp_path: Path, cache: Path) -> None:
    result = run("say", "😀", "-o", str(tmp_path / "x.wav"), cache=cache)
    assert result.returncode == 1
    assert result.stderr.startswith("tts-server: The text contains nothing")
    assert not (tmp_path / "x.wav").exists()


def test_check(cache: Path) -> None:
    result = run("check", cache=cache)
    assert result.returncode == 0, result.stderr
    assert "24000 Hz" in result.stdout


def test_voices_and_help(cache: Path) -> None:
    assert run("voices", cache=cache).stdout.startswith("baker")
    shown = run("--help", cache=cache)
    assert shown.returncode == 0
    for word in ("serve", "drain", "TTS_MAX_INPUT_CHARACTERS"):
        assert word in shown.stdout


def test_prepare(tmp_path: Path, cache: Path) -> None:
    targets = [tmp_path / "1.tflite", tmp_path / "2.tflite"]
    for target in targets:
        assert run("prepare", str(target), cache=cache).returncode == 0
    assert targets[0].read_bytes() == targets[1].read_bytes()
    assert targets[0].stat().st_size > 10_000_000


def test_many_at_once_on_an_empty_cache(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tts_server", "check"]
    environ = {"XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    started = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [each.wait(100) for each in started] == [0] * 4
    endings = sorted(path.suffix for path in (tmp_path / "tts-server").iterdir())
    assert endings == [".bin", ".tflite", ".txt", ".xml"]
