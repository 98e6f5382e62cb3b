from collections.abc import Callable
from pathlib import Path

import pytest
from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.contrib.tone_convert import to_tone3

from tts_server.engines.fastspeech2 import reading_tables
from tts_server.engines.fastspeech2.reading_tables import Tables

SMALL = Tables({"行": "xing2", "好": "hao3"}, {"银行": "yin2 hang2"})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no prepared file beside pypinyin."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(reading_tables, "_folder", lambda: tmp_path / "pypinyin")
    return tmp_path / "tts-server"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Tables]:
    """What is built from pypinyin, one entry each time."""
    times: list[Tables] = []

    def build() -> Tables:
        times.append(SMALL)
        return SMALL

    monkeypatch.setattr(reading_tables, "build", build)
    return times


def test_the_tables_are_pypinyins() -> None:
    tables = reading_tables.build()
    assert tables.characters == {
        chr(code): to_tone3(readings.partition(",")[0], neutral_tone_with_five=True)
        for code, readings in PINYIN_DICT.items()
    }
    assert tables.phrases.keys() == PHRASES_DICT.keys()
    assert tables.phrases["银行"] == "yin2 hang2"


def test_a_file_holds_what_was_written() -> None:
    assert reading_tables.parse(reading_tables.text_of(SMALL)) == SMALL


def test_they_are_made_once_and_cached(cache: Path, built: list[Tables]) -> None:
    assert reading_tables.load() == SMALL
    assert reading_tables.load() == SMALL
    assert len(built) == 1
    assert len(list(cache.iterdir())) == 1


def test_a_prepared_file_comes_first(cache: Path, built: list[Tables]) -> None:
    assert reading_tables.prepare().is_file()
    assert reading_tables.load() == SMALL
    assert len(built) == 1
    assert not cache.exists()


@pytest.mark.parametrize(
    "damage", [lambda text: text[: len(text) // 2], lambda text: text.replace("好\n", ""), lambda _: ""]
)
def test_a_damaged_file_is_made_again(cache: Path, built: list[Tables], damage: Callable[[str], str]) -> None:
    reading_tables.load()
    file = next(cache.iterdir())
    file.write_text(damage(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert reading_tables.load() == SMALL
    assert len(built) == 2


def test_without_a_place_to_write_they_are_made_each_time(
    built: list[Tables], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert reading_tables.load() == SMALL
    assert reading_tables.load() == SMALL
    assert len(built) == 2
