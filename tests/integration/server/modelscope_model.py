"""Writes a model folder that ModelScope's genuine classes load, with the doubles: ``modelscope_model.py FOLDER``."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml
from kantts.models import Acoustic
from kantts.models.hifigan.hifigan import Generator

# name, pitch above the others' in Hz, volume (above 1 it would be clipped)
VOICES = (("zhiyan_emo", 0.0, 0.5), ("zhitian_emo", 60.0, 0.5), ("loud", 0.0, 1.5))
CONFIGURATION = {
    "framework": "pytorch",
    "task": "text-to-speech",
    "model": {"type": "sambert-hifigan", "am": {"linguistic_unit": {"has_mask": True}}},
    "pipeline": {"type": "sambert-hifigan-tts"},
}


def write(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "configuration.json").write_text(json.dumps(CONFIGURATION))
    with zipfile.ZipFile(folder / "resource.zip", "w") as resources:
        resources.writestr("resource/ready", "yes")
    for name, pitch, volume in VOICES:
        voice = folder / "voices" / name
        acoustic, vocoder = Acoustic(), Generator()
        acoustic.pitch.data.fill_(pitch)
        vocoder.volume.data.fill_(volume)
        files: dict[str, tuple[Any, dict[str, Any]]] = {
            "am": ({"model": acoustic.state_dict()}, {"linguistic_unit": {"language": "PinYin"}}),
            "voc": ({"model": {"generator": vocoder.state_dict()}}, {}),
        }
        for part, (weights, config) in files.items():
            (voice / part / "ckpt").mkdir(parents=True)
            torch.save(weights, voice / part / "ckpt" / "checkpoint_0.pth")
            config["Model"] = {"KanTtsSAMBERT": {"params": {}}, "Generator": {"params": {"out_channels": 1}}}
            (voice / part / "config.yaml").write_text(yaml.dump(config))
        (voice / "audio_config.yaml").write_text("sampling_rate: 16000\n")
    names = [name for name, _, _ in VOICES]
    (folder / "voices" / "voices.json").write_text(json.dumps({"voices": names}))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
