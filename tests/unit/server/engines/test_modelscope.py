"""The modelscope engine's own parts, without ModelScope."""

from pathlib import Path

import pytest

from tts_server.engines import EngineError
from tts_server.engines.modelscope.folder import listed_voices, read_manifest, record, verify, writable_view
from tts_server.engines.modelscope.symbols import EMOTIONS, with_emotion

ROW = "{ni$tone3$s_both$word_begin$emotion_neutral$F7} {#3$tone_none$s_none$word_none$emotion_none$F7}"


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_fifth_field_of_each_symbol_is_the_emotion(emotion: str) -> None:
    changed = with_emotion(ROW, emotion)
    assert changed.count(f"${EMOTIONS[emotion]}$F7}}") == 2
    assert changed.replace(EMOTIONS[emotion], "") == ROW.replace("emotion_neutral", "").replace("emotion_none", "")


def test_a_symbol_without_an_emotion_stays() -> None:
    assert with_emotion("{a$b$c} {} {a$b$c$d$plain$f}", "happy") == "{a$b$c} {} {a$b$c$d$plain$f}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "voices" / "one").mkdir(parents=True)
    (model / "voices" / "voices.json").write_text('{"voices": ["one", "gone"]}')
    (model / "weights").write_bytes(b"123")
    (model / ".hub").mkdir()
    (model / ".hub" / "state").write_text("x")
    (model / "resource").mkdir()
    (model / "resource" / "unpacked").write_text("x")
    return model


def test_what_was_recorded_is_verified(folder: Path) -> None:
    with pytest.raises(EngineError, match="Run `tts-server fetch`"):
        read_manifest(folder)
    manifest = record(folder, model="me/mine", revision="v1")
    assert set(manifest.files) == {"voices/voices.json", "weights"}
    assert read_manifest(folder) == manifest
    verify(folder, manifest)
    (folder / "weights").write_bytes(b"124")
    with pytest.raises(EngineError, match="weights has changed since it was fetched"):
        verify(folder, manifest)
    assert record(folder, model="me/mine", revision="v1").digest != manifest.digest
    (folder / "weights").unlink()
    with pytest.raises(EngineError, match="weights is missing"):
        verify(folder, manifest)


def test_a_broken_manifest_is_said(folder: Path) -> None:
    (folder / "tts-manifest.json").write_text("[]")
    with pytest.raises(EngineError, match="fetch` again"):
        read_manifest(folder)


def test_only_voices_that_are_there_are_listed(folder: Path) -> None:
    assert listed_voices(folder) == ["one"]
    (folder / "voices" / "voices.json").write_text("{}")
    with pytest.raises(EngineError, match="not a Sambert-HifiGAN model"):
        listed_voices(folder)


def test_the_view_takes_what_is_unpacked(folder: Path) -> None:
    view = writable_view(folder)
    assert (view / "weights").read_bytes() == b"123"
    assert not (view / "resource").exists()
    (view / "resource").mkdir()
    assert (folder / "resource" / "unpacked").exists()
