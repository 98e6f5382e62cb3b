"""The lexicon of the service: its file, and how a change of it gets into a running server."""

import json
import logging
import os
from pathlib import Path

import pytest
from flask import Flask

from tests.unit.server.conftest import FakeEngine
from tts_server.lexicon import LexiconError
from tts_server.lexicon.file import MAX_FILE_BYTES, LexiconFile, parse
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import SpeechService, Utterance
from tts_server.synthesis.service_lexicon import ServiceLexicon

SYLLABLES = frozenset({"hang", "zhang"})


@pytest.mark.parametrize(
    "text,entries",
    [
        ("", {}),
        ("# nothing yet\n", {}),
        ("行长: hang2 zhang3\nSaaS: 萨斯\n", {"行长": "hang2 zhang3", "SaaS": "萨斯"}),
        ("---\n行: &a hang2\n...\n", {"行": "hang2"}),
        ("NO: no\n5G: 007\nx: !!int '1'\nC#: C sharp # a remark", {"NO": "no", "5G": "007", "x": "1", "C#": "C sharp"}),
        (json.dumps({"行长": "hang2 zhang3", "\n": "x"}), {"行长": "hang2 zhang3", "\n": "x"}),
    ],
)
def test_a_file(text: str, entries: dict[str, str]) -> None:
    assert parse(text) == entries


@pytest.mark.parametrize(
    "text,says",
    [
        ("行长", "Line 1: the file must hold one word and its reading per line, such as 行长: hang2 zhang3."),
        ("- 行长: hang2", "Line 1: the file must"),
        ("a: b\n行长:\n  hang2: zhang3", "Line 3: the file must"),
        ("a: &x b\nc: *x", "Line 2: the file must"),
        ("a: b\n---\nc: d", "Line 3: the file must"),
        ("a: b\nb: c\na: d", "Line 3: 'a' is there twice. Remove one of the two."),
        ("a: b\n行长", "Line 2: could not find expected ':'. The file must be YAML."),
        ("a: b\x00", "The file must be YAML."),
    ],
)
def test_a_file_that_is_wrong(text: str, says: str) -> None:
    with pytest.raises(LexiconError) as caught:
        parse(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "data,says",
    [
        (b"x" * (MAX_FILE_BYTES + 1), "larger than 1048576 bytes"),
        (b"a: \xff", "not valid UTF-8, from byte 3 on"),
        ("行长: hang2 mang3".encode(), "'行长': the voice has no syllable 'mang3'"),
        ("".join(f"{at}: x\n" for at in range(10_001)).encode(), "has 10001 entries, but the limit is 10000"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "lexicon.yaml"
    path.write_bytes(data)
    with pytest.raises(LexiconError, match=says):
        LexiconFile(path).read(SYLLABLES)


class ConfigMapVolume:
    """Files as the kubelet keeps them: a change makes a new folder, and then replaces one symbolic link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "lexicon.yaml"
        self._version = 0

    def write(self, text: str) -> None:
        self._version += 1
        version = self.folder / f"..version-{self._version}"
        version.mkdir()
        (version / "lexicon.yaml").write_text(text)
        os.utime(version / "lexicon.yaml", (0, 0))  # times do not tell versions apart
        (self.folder / "..data_tmp").symlink_to(version.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to("..data/lexicon.yaml")

    def remove(self) -> None:
        self.path.unlink()


@pytest.fixture
def volume(tmp_path: Path) -> ConfigMapVolume:
    return ConfigMapVolume(tmp_path)


def test_a_change_of_the_file_is_seen(volume: ConfigMapVolume) -> None:
    file = LexiconFile(volume.path)
    assert not file.changed()
    volume.write("行: hang2")
    assert file.changed()
    assert list(file.read(SYLLABLES).entries) == ["行"]
    assert not file.changed()
    volume.write("长: hang2")
    assert file.changed()
    assert list(file.read(SYLLABLES).entries) == ["长"]
    volume.remove()
    assert file.changed()
    assert not file.read(SYLLABLES).entries
    assert not file.changed()


@pytest.fixture
def service(app: Flask) -> SpeechService:
    found: SpeechService = app.extensions["tts_server"].service
    return found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def lexicon(volume: ConfigMapVolume, service: SpeechService, metrics: Metrics) -> ServiceLexicon:
    return ServiceLexicon(LexiconFile(volume.path), service, metrics)


def measured(metrics: Metrics) -> list[float | None]:
    value = metrics.registry.get_sample_value
    return [
        value("tts_lexicon_entries"),
        value("tts_lexicon_last_reload_successful"),
        value("tts_lexicon_reloads_total", {"result": "success"}),
        value("tts_lexicon_reloads_total", {"result": "failure"}),
    ]


def said(engine: FakeEngine, service: SpeechService, text: str) -> str:
    return "|".join(each.text for each in engine.plan(service.script(Utterance(text))))


def test_the_service_follows_its_file(
    volume: ConfigMapVolume, lexicon: ServiceLexicon, service: SpeechService, engine: FakeEngine, metrics: Metrics
) -> None:
    lexicon.refresh()
    assert said(engine, service, "用SaaS") == "用SaaS"
    assert measured(metrics) == [0, 1, 1, 0]
    volume.write("SaaS: 萨斯")
    lexicon.refresh()
    assert said(engine, service, "用SaaS") == "用|萨斯"
    assert measured(metrics) == [1, 1, 2, 0]


def test_a_wrong_file_keeps_the_last_one_and_says_so(  # noqa: PLR0917 - fixtures
    volume: ConfigMapVolume,
    lexicon: ServiceLexicon,
    service: SpeechService,
    engine: FakeEngine,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    volume.write("SaaS: 萨斯")
    lexicon.refresh()
    volume.write("SaaS: 萨斯\nb")
    lexicon.refresh()
    assert said(engine, service, "用SaaS") == "用|萨斯"
    assert measured(metrics) == [1, 0, 1, 1]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "Line 2" in record.__dict__["error"]
    volume.write("SaaS: 软件")
    lexicon.refresh()
    assert said(engine, service, "用SaaS") == "用|软件"
    assert measured(metrics) == [1, 1, 2, 1]


def test_a_wrong_file_at_the_start_does_not_stop_the_server(
    volume: ConfigMapVolume, lexicon: ServiceLexicon, service: SpeechService, engine: FakeEngine, metrics: Metrics
) -> None:
    volume.write("b")
    lexicon.refresh()
    assert said(engine, service, "用SaaS") == "用SaaS"
    assert measured(metrics) == [0, 0, 0, 1]
