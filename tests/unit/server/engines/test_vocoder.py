import numpy as np
import pytest

from tts_server.engines.fastspeech2.vocoder import (
    LONG_WINDOW_FRAMES,
    SAMPLES_PER_FRAME,
    WINDOW_FRAMES,
    Mel,
    Samples,
    stretch,
    vocode,
    windows,
)

RECEPTIVE_FRAMES = 18


@pytest.mark.parametrize("frames", [1, 19, 20, 40, 143, 144, 145, 146, 248, 249, 250, 340, 700, 5000])
@pytest.mark.parametrize("long", [False, True])
def test_windows_cover_every_frame_once_with_enough_around_it(frames: int, long: bool) -> None:
    found = windows(frames, long=long)
    assert [each.keep_from for each in found] == [0, *(each.keep_to for each in found[:-1])]
    assert found[-1].keep_to == frames
    for each in found:
        end = each.start + each.size
        assert end <= frames or found == [each]  # real frames only
        assert each.keep_from - each.start >= RECEPTIVE_FRAMES or each.start == each.keep_from == 0
        assert end - each.keep_to >= RECEPTIVE_FRAMES or each.keep_to == frames


@pytest.mark.parametrize("speed,frames", [(1, 100), (0.25, 400), (4, 25), (1.5, 67)])
def test_speed_changes_the_length_and_keeps_the_order(speed: float, frames: int) -> None:
    mel = np.repeat(np.arange(100, dtype=np.float32)[:, np.newaxis], 80, axis=1)
    stretched = stretch(mel, speed)
    assert stretched.shape == (frames, 80)
    assert stretched.dtype == np.float32
    assert (np.diff(stretched[:, 0]) >= 0).all()
    assert stretched[0, 0] < 2
    assert stretched[-1, 0] > 97


def test_no_speed_leaves_nothing() -> None:
    assert len(stretch(np.zeros((1, 80), np.float32), 4)) == 1


@pytest.mark.parametrize(
    "frames,sizes",
    [
        (144, [144]),
        (145, [144, 144]),
        (248, [144, 144]),
        (249, [144, 248]),
        (352, [144, 248]),
        (353, [144, 144, 248]),
        (457, [144, 248, 248]),
    ],
)
def test_long_windows_take_the_place_of_pairs_after_the_first(frames: int, sizes: list[int]) -> None:
    assert [each.size for each in windows(frames, long=True)] == sizes
    assert {each.size for each in windows(frames)} == {WINDOW_FRAMES}


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("frames", [1, 30, 144, 145, 200, 341, 1000])
def test_windows_equal_the_whole(frames: int, long: bool) -> None:
    kernel = np.random.default_rng(1).normal(size=2 * RECEPTIVE_FRAMES + 1)

    def network(mel: Mel) -> Samples:
        padded = np.pad(mel[:, 0], RECEPTIVE_FRAMES)
        return np.repeat(np.convolve(padded, kernel, mode="valid"), SAMPLES_PER_FRAME).astype(np.float32)

    def one_window(mel: Mel) -> Samples:
        assert len(mel) in ((WINDOW_FRAMES, LONG_WINDOW_FRAMES) if long else (WINDOW_FRAMES,))
        return network(mel)

    mel = np.random.default_rng(2).normal(size=(frames, 80)).astype(np.float32)
    padding = max(0, WINDOW_FRAMES - frames)
    whole = network(np.pad(mel, ((0, padding), (0, 0)), mode="edge"))[: frames * SAMPLES_PER_FRAME]
    made = np.concatenate(list(vocode(mel, one_window, long_windows=long)))
    np.testing.assert_allclose(made, whole, rtol=1e-5, atol=1e-5)
