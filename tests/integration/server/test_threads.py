"""The number of threads reaches the engine."""

from tts_server.engines.fastspeech2.engine import create
from tts_server.engines.fastspeech2.vocoder import Vocoder
from tts_server.settings import Settings


def test_the_vocoder_has_a_stream_for_each_thread() -> None:
    """OpenVINO never takes more than the machine has CPUs, so one is the number to try."""
    engine = create(Settings(threads=1))
    engine.load()
    assert isinstance(engine._vocoder, Vocoder)
    assert engine._vocoder.streams == 1
