"""Write a model repository for Triton with the networks of ``modelscope``.

    sambert/config.pbtxt
    sambert/VERSION/model.py
    sambert/VERSION/model/    what `tts-server fetch` brought, without what only the front end reads

The networks stay ModelScope's own, on its own code: without kantts, which is on no public index, they cannot be
converted. A version is a number made from the files and the code.
"""

import hashlib
from pathlib import Path

from tts_server.engines.modelscope.folder import read_manifest, verify
from tts_server.engines.triton.contract import SAMBERT
from tts_server.engines.triton.model_folder import Plan, code_of, copy_files, new_repository, write_config

_NAME = "sambert"
_FRONT_END = "resource.zip"


def write_sambert_repository(target: Path, plan: Plan, source: Path, *, replace: bool = False) -> str:
    """Write the repository to ``target``, which must not exist, and return the revision of the model.

    ``source`` is the folder that `tts-server fetch` filled. With ``replace``, ``target`` may be an older repository.
    Raises EngineError and OSError.
    """
    manifest = read_manifest(source)
    verify(source, manifest)
    code = code_of(_NAME)
    files = {name: source / name for name in manifest.files if name != _FRONT_END}
    revision = hashlib.sha256(manifest.digest.encode() + code.read_bytes()).hexdigest()[:12]
    # A row after the other is what ModelScope computes. A batch would keep the other instances idle.
    where = "kind: KIND_GPU count: 1" if plan.gpu else f"kind: KIND_CPU count: {plan.cpus}"
    lines = ['backend: "python"', "max_batch_size: 1", f"instance_group [ {{ {where} }} ]"]
    with new_repository(target, replace=replace) as part:
        folder = part / _NAME
        copy_files(folder, revision, {"model.py": code, **{f"model/{name}": path for name, path in files.items()}})
        write_config(folder, SAMBERT, revision, lines)
    return revision
