"""Loading begins early only where it cannot meet another import."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.server.conftest import FakeEngine
from tts_server.engines import EngineError
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.assets import locate, prepared, wheel_folder
from tts_server.engines.fastspeech2.vocoder import WINDOW_FRAMES, Vocoder, convert
from tts_server.synthesis.loading import Loading, begin_early


def test_as_many_sessions_as_threads() -> None:
    assert len(Loading(FakeEngine(), 3).sessions()) == 3


def test_what_the_engine_raises_comes_out() -> None:
    engine = FakeEngine()

    def fail() -> None:
        raise EngineError("no weights")

    engine.load = fail  # type: ignore[method-assign] # the test's way to fail
    with pytest.raises(EngineError, match="no weights"):
        Loading(engine, 1).sessions()


def test_an_engine_that_does_not_say_what_it_imports_is_loaded_later() -> None:
    assert begin_early(FakeEngine(), 1) is None


def test_an_engine_whose_modules_are_not_there_says_so_when_it_is_loaded() -> None:
    engine = FakeEngine()
    engine.imports = ("no_such_module",)  # type: ignore[attr-defined] # optional
    assert begin_early(engine, 1) is None


_FRESH = """
import sys
from importlib import import_module
from tts_server.engines.fastspeech2.engine import FastSpeech2
engine = FastSpeech2()
for name in engine.imports:
    import_module(name)
before = set(sys.modules)
engine.load()
engine.open_session()
print(*sorted(set(sys.modules) - before))
"""


def test_fastspeech2_says_all_that_its_loading_imports() -> None:
    """Under gevent a thread that imports may wait for ever for the main thread that imports too."""
    locate()  # prepares the networks, if nothing has yet
    assert prepared()
    done = subprocess.run([sys.executable, "-c", _FRESH], stdout=subprocess.PIPE, text=True, check=True, timeout=100)
    assert done.stdout.split() == []


_AT_ONCE = """
import sys, threading, numpy
from pathlib import Path
from tts_server.engines.fastspeech2.vocoder import WINDOW_FRAMES, Vocoder
vocoder = Vocoder(Path(sys.argv[1]), 2)
calls = [vocoder.open() for _ in range(2)]
mel, go = numpy.zeros((WINDOW_FRAMES, 80), numpy.float32), []
def call(run):
    while not go:
        pass
    run(mel)
threads = [threading.Thread(target=call, args=(run,)) for run in calls]
sys.setswitchinterval(1e-6)
for each in threads:
    each.start()
go.append(True)
"""


@pytest.mark.parametrize("_", range(2))  # one of ten goes well by chance
def test_two_sessions_may_call_the_vocoder_for_the_first_time_at_once(_: int) -> None:
    """OpenVINO's binding hangs for good where two threads are the first to look at a tensor's data."""
    subprocess.run([sys.executable, "-c", _AT_ONCE, str(locate().vocoder)], check=True, timeout=100)


def test_a_vocoder_that_cannot_be_converted_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path, target: Path) -> None:
        raise PermissionError(13, "Read-only file system", str(target))

    monkeypatch.setattr(assets, "convert", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.locate().vocoder.suffix == ".tflite"
    assert not assets.prepared()


def test_the_converted_vocoder_sounds_the_same(tmp_path: Path) -> None:
    source, target = wheel_folder() / "mb_melgan.tflite", tmp_path / "vocoder.xml"
    convert(source, target)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["vocoder.bin", "vocoder.xml"]
    mel = np.random.default_rng(1).normal(size=(WINDOW_FRAMES, 80)).astype(np.float32)
    assert np.array_equal(Vocoder(source, 1).open()(mel), Vocoder(target, 1).open()(mel))
