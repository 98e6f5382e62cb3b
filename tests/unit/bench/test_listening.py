"""Which jumps of a sound are clicks at seams."""

import numpy as np
import numpy.typing as npt
import pytest

from bench.jobs.listening import at_seams, jumps

RATE = 24_000


def tone(seconds: float) -> npt.NDArray[np.int16]:
    """A quiet tone of 200 Hz. It jumps by at most 0.16 % of full scale."""
    return np.round(1000 * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


@pytest.mark.parametrize("piece", [7, 240, 241, 100_000])
def test_jumps_do_not_depend_on_the_pieces(piece: int) -> None:
    sound = tone(1.003)
    found, seconds = jumps([sound[at : at + piece] for at in range(0, len(sound), piece)], RATE)
    assert seconds == len(sound) / RATE
    assert len(found) == 101  # the last one is shorter
    assert np.array_equal(found, jumps([sound], RATE)[0])
    assert 0.0013 < found.max() < 0.0017


def test_a_click_is_in_the_window_of_its_seam() -> None:
    sound = tone(2)
    sound[24_000:] += 3000  # at 1 s
    found, _ = jumps([sound], RATE)
    largest, elsewhere = at_seams(found, [0.5, 0.98, 1.005, 1.2])
    assert [each > 0.08 for each in largest] == [False, True, True, False]
    assert elsewhere.max() < 0.0017


def test_a_seam_at_the_end_has_no_windows() -> None:
    largest, _ = at_seams(jumps([tone(1)], RATE)[0], [0.0, 5.0])
    assert largest[1] == 0.0


def test_silence_and_nothing() -> None:
    assert jumps([], RATE)[1] == 0.0
    assert jumps([np.zeros(480, np.int16)], RATE)[0].tolist() == [0.0, 0.0]
