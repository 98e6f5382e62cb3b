"""The repository that ``tts-server triton-repository`` writes, and the vocoder that it converts for GPUs."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
import pytest

from tts_server.__main__ import main
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.acoustic import AcousticModel
from tts_server.engines.fastspeech2.baker import WARM_UP
from tts_server.engines.fastspeech2.engine import FastSpeech2
from tts_server.engines.fastspeech2.prosody import EMOTIONS
from tts_server.engines.fastspeech2.vocoder import LONG_WINDOW_FRAMES, WINDOW_FRAMES, Mel, Samples, Vocoder, vocode

EQUAL_DECIBELS = 60.0


def command(*options: str) -> int:
    return main(["triton-repository", "--engine", "fastspeech2", *options])


def test_the_converted_vocoder_sounds_the_same(tmp_path: Path) -> None:
    target = tmp_path / "repository"
    assert command("-o", str(target), "--device", "gpu", "--cpus", "3") == 0
    config = (target / "vocoder" / "config.pbtxt").read_text()
    assert 'backend: "onnxruntime"' in config
    assert "kind: KIND_GPU count: 1" in config
    assert "kind: KIND_CPU count: 3" in (target / "acoustic" / "config.pbtxt").read_text()
    files, engine = assets.locate(), FastSpeech2()
    engine.read_front_end(files.symbols)
    mel, _ = AcousticModel(files.acoustic)(engine.front_end.ids(WARM_UP), EMOTIONS["neutral"])
    [network] = target.glob("vocoder/*/model.onnx")
    # OpenVINO reads ONNX too, which shows that the conversion is right. It is no figure for a GPU.
    converted = openvino.Core().compile_model(str(network), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    ours = np.concatenate(list(vocode(mel, Vocoder(files.vocoder, 1).open()))).astype(np.float64)
    sizes = []

    def samples(window: Mel) -> Samples:
        sizes.append(len(window))
        both: npt.NDArray[np.float32] = converted(np.stack([window, window[::-1]]))[0]
        first: Samples = both[0]
        return first

    theirs = np.concatenate(list(vocode(mel, samples, long_windows=True)))
    assert set(sizes) == {WINDOW_FRAMES, LONG_WINDOW_FRAMES}
    assert 10 * np.log10(np.sum(ours**2) / np.sum((ours - theirs) ** 2)) >= EQUAL_DECIBELS


def test_it_appears_as_a_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "repository"
    target.mkdir()
    assert command("-o", str(target), "--cpus", "2") == 0
    assert {each.name for each in tmp_path.iterdir()} == {"repository"}
    assert {each.name for each in target.iterdir()} == {"acoustic", "vocoder"}
    for name, instances, batch, lengths in (("acoustic", 2, 1, 1), ("vocoder", 1, 16, 2)):
        config = (target / name / "config.pbtxt").read_text()
        assert f"instance_group [ {{ kind: KIND_CPU count: {instances} }} ]" in config
        assert f"max_batch_size: {batch}\n" in config
        assert ("dynamic_batching" in config) == (batch > 1)
        assert config.count("batch_size: 1 ") == lengths
        assert ("allow_ragged_batch" in config) == (lengths > 1)
    before = sorted(target.rglob("*"))
    assert command("-o", str(target)) == 3
    assert "is there already. Name a folder that does not exist" in capsys.readouterr().err
    assert sorted(target.rglob("*")) == before
    (target / "left-over").touch()
    assert command("-o", str(target), "--cpus", "2", "--replace") == 0
    assert sorted(target.rglob("*")) == before
    assert command("-o", str(tmp_path), "--replace") == 3
    assert target.exists()
    capsys.readouterr()
    assert command("-o", str(tmp_path / "file" / "x")) == 0
    (tmp_path / "plain").write_text("")
    assert command("-o", str(tmp_path / "plain" / "x")) == 3
    assert "Cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options,expected",
    [
        (("--cpus", "999"), "--cpus must be from 1 to 256, not 999."),
        (("--max-batch", "0"), "--max-batch must be from 1 to 256, not 0."),
        (("--delay-ms", "-1"), "--delay-ms must be from 0 to 100, not -1."),
    ],
)
def test_bad_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], expected: str
) -> None:
    assert command("-o", str(tmp_path / "x"), *options) == 2
    assert expected in capsys.readouterr().err
