"""Fetch a model from the ModelScope hub, once, at a pinned revision."""

from pathlib import Path

from tts_server.engines.modelscope.folder import Manifest, read_manifest, record, verify
from tts_server.engines.protocol import EngineError


def fetch(model: str, revision: str, folder: Path) -> Manifest:
    """Download the model into the folder and record what came; what is there already is checked and not loaded again.

    A download that was broken off goes on where it stopped. ModelScope's own client shows the progress, and reads
    MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN. Raises :class:`EngineError`.
    """
    present = _present(model, revision, folder)
    if present is not None:
        return present
    try:
        from modelscope.hub.snapshot_download import snapshot_download  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise EngineError(
            f"ModelScope is not installed ({error}): use the image of Dockerfile.modelscope, or pip install "
            "'tts-operator[modelscope]'."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    try:
        snapshot_download(model, revision=revision, local_dir=str(folder))
    # The client raises its own classes, those of requests, and OSError: to the user they are one.
    except Exception as error:
        raise EngineError(
            f"Cannot fetch {model} at {revision}: {type(error).__name__}: {error}. Check TTS_MODEL_NAME and "
            "TTS_MODEL_REVISION, and that the hub can be reached; what has arrived is kept, run the command again."
        ) from error
    return record(folder, model=model, revision=revision)


def _present(model: str, revision: str, folder: Path) -> Manifest | None:
    try:
        manifest = read_manifest(folder)
        if (manifest.model, manifest.revision) != (model, revision):
            return None
        verify(folder, manifest)
    except EngineError:
        return None
    return manifest
