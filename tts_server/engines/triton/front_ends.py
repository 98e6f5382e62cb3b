"""The engine for each front end. Only the one asked for is imported: an image has the packages of one of them."""

from pathlib import Path

from tts_server.engines.protocol import Engine, EngineError
from tts_server.settings import Settings


def create(settings: Settings) -> Engine:
    """Return the engine for the ``TTS_TRITON_*`` variables; raises EngineError."""
    if settings.triton.front_end == "fastspeech2":
        from tts_server.engines.triton.engine import Triton  # noqa: PLC0415 - see above

        return Triton(settings.triton)
    if not settings.model_dir:
        raise EngineError(
            "TTS_TRITON_FRONT_END=modelscope needs TTS_MODEL_DIR, the folder that `tts-server fetch` filled."
        )
    from tts_server.engines.triton.sambert import TritonSambert  # noqa: PLC0415 - see above

    return TritonSambert(settings.triton, Path(settings.model_dir), settings.voices)
