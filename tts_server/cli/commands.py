"""``tts-server fetch``, ``voices``, ``check`` and ``lexicon``: get a model, and find out what it offers and takes.

Also ``triton-repository``, which gives a model to another server, and ``webhook-key``, for those who get messages about
jobs.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_server.apikeys import is_name
from tts_server.settings import Settings

if TYPE_CHECKING:
    from tts_server.engines import Engine

NOT_SPEECH, WRONG_USAGE, NO_MODEL = 1, 2, 3

_FETCH = """\
Download the model of the modelscope engine from the ModelScope hub, once. An interrupted download resumes where it
stopped. The sha256 of every file is recorded beside the model and verified at each start. A model that is already there
is verified and not downloaded again.

  tts-server fetch --model OWNER/NAME --revision v1.0.2 --dir /models
  TTS_MODEL_NAME=OWNER/NAME TTS_MODEL_REVISION=v1.0.2 TTS_MODEL_DIR=/models tts-server fetch
  tts-server fetch --record-only --model me/mine --revision 1 --dir /models   for files that you have copied yourself

MODELSCOPE_ENDPOINT selects another hub. MODELSCOPE_API_TOKEN gives access to private models.
exit status: 0 the model is there, 2 wrong usage, 3 the model cannot be fetched
"""
_VOICES = """\
List the voices of the engine (TTS_ENGINE), the default one first, and its emotions.

  tts-server voices
  TTS_ENGINE=modelscope TTS_MODEL_DIR=/models tts-server voices

exit status: 0 success, 3 the engine or its model is missing
"""
_CHECK = """\
Load the engine and its model, verify the model's files, speak a sentence, and check the audio: its length for the text,
its loudness, and whether it is clipped.

  tts-server check
  tts-server check --voice zhiyan_emo --emotion happy

exit status: 0 speech, 1 not speech, 2 wrong usage, 3 the engine or its model is missing, or a file has changed
"""
_LEXICON = """\
Check a lexicon for TTS_LEXICON or a ConfigMap before it is used. A running server keeps its last lexicon when the new
one is wrong.

  tts-server lexicon words.yaml

exit status: 0 the file can be used, 1 it is wrong, 3 the engine or its model is missing
"""
_WEBHOOK_KEY = """\
Print the key with which the messages of one API key's jobs are signed. It is derived from TTS_JOBS_WEBHOOK_SECRET and
the name of the API key. Give it to whoever has this API key, and to nobody else.

  tts-server webhook-key shop
  kubectl exec deployment/narrator -- tts-server webhook-key shop
  tts-server webhook-key anonymous        for a server without API keys

exit status: 0 success, 2 wrong usage, or the secret is missing or too short
"""
_TRITON_REPOSITORY = """\
Write a model repository with the networks of another engine, for a Triton Inference Server. The triton engine speaks
with them there. Triton needs its Python backend, for fastspeech2 with the packages ai-edge-litert, numpy and, without a
GPU, openvino; for modelscope with kantts, modelscope, numpy and torch. With --device gpu, all of modelscope runs on the
GPU, and the vocoder of fastspeech2, for which Triton then also needs its ONNX Runtime backend.

  tts-server triton-repository --engine fastspeech2 -o /models --cpus 8
  tritonserver --model-repository /models
  TTS_ENGINE=triton TTS_TRITON_URL=grpc://localhost:8001 tts-server serve

  tts-server triton-repository --engine modelscope --model /voices -o /models --device gpu
  TTS_ENGINE=triton TTS_TRITON_FRONT_END=modelscope TTS_MODEL_DIR=/voices ...

The folder must not exist, or be empty, unless it is a repository to --replace. It is written as a whole, or not at all.
exit status: 0 success, 2 wrong usage, 3 the model is missing or the folder cannot be written
"""
_MAX_CPUS, _MAX_BATCH, _MAX_DELAY_MILLISECONDS = 256, 256, 100.0


def add_parsers(commands: Any) -> None:
    """Add these commands to the sub-commands of ``tts-server``."""
    fetch = _add(commands, "fetch", "download the model of the modelscope engine, once", _FETCH)
    fetch.add_argument("--model", help="the model's id on the hub (default: TTS_MODEL_NAME)")
    fetch.add_argument("--revision", help="the revision, such as v1.0.2 (default: TTS_MODEL_REVISION)")
    fetch.add_argument("--dir", type=Path, metavar="FOLDER", help="the target folder (default: TTS_MODEL_DIR)")
    fetch.add_argument("--record-only", action="store_true", help="only record the files that are already there")
    fetch.set_defaults(run=_fetch)

    _add(commands, "voices", "list voices and emotions", _VOICES).set_defaults(run=_voices)

    check = _add(commands, "check", "load the model, speak, and check the audio", _CHECK)
    check.add_argument("--voice", help="one of `tts-server voices` (default: the first)")
    check.add_argument("--emotion", default="neutral", help="one of `tts-server voices` (default: neutral)")
    check.set_defaults(run=_check)

    lexicon = _add(commands, "lexicon", "check a lexicon", _LEXICON)
    lexicon.add_argument("file", type=Path, metavar="FILE")
    lexicon.set_defaults(run=_lexicon)

    repository = _add(commands, "triton-repository", "write the networks for a Triton", _TRITON_REPOSITORY)
    repository.add_argument(
        "--engine", choices=["fastspeech2", "modelscope"], required=True, help="the engine with the networks"
    )
    repository.add_argument(
        "--model", type=Path, metavar="FOLDER", help="the folder of modelscope's model (default: TTS_MODEL_DIR)"
    )
    repository.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="the folder to write")
    repository.add_argument(
        "--device", choices=["cpu", "gpu"], default="cpu", help="where the networks run that need it"
    )
    repository.add_argument("--cpus", type=int, default=0, help="the CPUs that Triton may use (default: those here)")
    repository.add_argument("--max-batch", type=int, default=16, help="the most windows in a batch (default: 16)")
    repository.add_argument(
        "--delay-ms", type=float, default=0.0, help="how long a batch waits to be full, in milliseconds (default: 0)"
    )
    repository.add_argument("--replace", action="store_true", help="replace a repository that is there already")
    repository.set_defaults(run=_triton_repository)

    webhook_key = _add(commands, "webhook-key", "print what signs the messages about jobs to a tenant", _WEBHOOK_KEY)
    webhook_key.add_argument("name", metavar="NAME", help="the name of an API key")
    webhook_key.set_defaults(run=_webhook_key)


def _add(commands: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def _fetch(options: argparse.Namespace, settings: Settings) -> int:
    from tts_server.engines import EngineError  # noqa: PLC0415 - numpy
    from tts_server.engines.modelscope import fetch, folder  # noqa: PLC0415 - as above

    model = options.model or settings.model_name
    revision = options.revision or settings.model_revision
    target = options.dir or (Path(settings.model_dir) if settings.model_dir else None)
    if not model or not revision or target is None:
        return fail(
            "fetch needs a model, a revision and a folder. Set TTS_MODEL_NAME, TTS_MODEL_REVISION and TTS_MODEL_DIR, "
            "or pass --model, --revision and --dir.",
            WRONG_USAGE,
        )
    try:
        if options.record_only:
            folder.listed_voices(target)
            manifest = folder.record(target, model=model, revision=revision)
        else:
            manifest = fetch.fetch(model, revision, target)
    except (EngineError, OSError) as error:
        return fail(str(error), NO_MODEL)
    sys.stdout.write(f"{manifest.model} {manifest.revision}: {len(manifest.files)} files recorded in {target}\n")
    return 0


def _voices(_: argparse.Namespace, settings: Settings) -> int:
    from tts_server.engines import EngineError, create_engine  # noqa: PLC0415 - numpy

    try:
        engine = create_engine(settings)
    except EngineError as error:
        return fail(str(error), NO_MODEL)
    for voice in engine.voices:
        sys.stdout.write(f"{voice.id:<20} {voice.language:<8} {voice.name}\n")
    sys.stdout.write(f"emotions: {', '.join(engine.emotions)}\n")
    return 0


def _check(options: argparse.Namespace, settings: Settings) -> int:
    from tts_server.cli.check import check_speech  # noqa: PLC0415 - numpy
    from tts_server.engines import EngineError  # noqa: PLC0415 - numpy

    start = time.perf_counter()
    try:
        engine = load_engine(settings)
        voice = options.voice or settings.default_voice or engine.voices[0].id
        report = check_speech(engine, voice=voice, emotion=options.emotion, load_seconds=time.perf_counter() - start)
    except EngineError as error:
        return fail(str(error), NO_MODEL)
    except ValueError as error:  # an unknown voice or emotion
        return fail(str(error), WRONG_USAGE)
    sys.stdout.write(report.text + "\n")
    return 0 if report.ok else fail("the audio is not speech: " + "; ".join(report.problems) + ".", NOT_SPEECH)


def _triton_repository(options: argparse.Namespace, settings: Settings) -> int:
    from tts_server.engines import EngineError  # noqa: PLC0415 - numpy
    from tts_server.engines.triton.model_folder import Plan  # noqa: PLC0415 - as above
    from tts_server.process.cpu import cpu_limit  # noqa: PLC0415 - as above

    plan = Plan(
        cpus=options.cpus or cpu_limit(),
        gpu=options.device == "gpu",
        max_batch=options.max_batch,
        delay_milliseconds=options.delay_ms,
    )
    for option, value, low, high in (
        ("--cpus", plan.cpus, 1, _MAX_CPUS),
        ("--max-batch", plan.max_batch, 1, _MAX_BATCH),
        ("--delay-ms", plan.delay_milliseconds, 0, _MAX_DELAY_MILLISECONDS),
    ):
        if not low <= value <= high:
            return fail(f"{option} must be from {low:g} to {high:g}, not {value:g}.", WRONG_USAGE)
    model = options.model or (Path(settings.model_dir) if settings.model_dir else None)
    if options.engine == "modelscope" and model is None:
        return fail(
            "--engine modelscope needs --model or TTS_MODEL_DIR, the folder of `tts-server fetch`.", WRONG_USAGE
        )
    try:
        if options.engine == "modelscope" and model:
            from tts_server.engines.triton.sambert_repository import write_sambert_repository  # noqa: PLC0415 - as above

            names, revision = "sambert", write_sambert_repository(options.output, plan, model, replace=options.replace)
        else:
            from tts_server.engines.triton.repository import write_repository  # noqa: PLC0415 - rjieba, pypinyin

            names, revision = "acoustic and vocoder", write_repository(options.output, plan, replace=options.replace)
    except EngineError as error:
        return fail(str(error), NO_MODEL)
    except OSError as error:
        return fail(f"Cannot write {options.output}: {error.strerror or error}.", NO_MODEL)
    sys.stdout.write(f"{options.output}: {names}, revision {revision}\n")
    return 0


def _webhook_key(options: argparse.Namespace, settings: Settings) -> int:
    from tts_server.jobs.webhook import key_of  # noqa: PLC0415 - gevent

    if not settings.jobs_webhook_secret:
        return fail("TTS_JOBS_WEBHOOK_SECRET is not set, so messages are not signed.", WRONG_USAGE)
    if not is_name(options.name):
        return fail(f"{options.name!r} is not the name of an API key.", WRONG_USAGE)
    sys.stdout.write(f"{key_of(settings.jobs_webhook_secret, options.name)}\n")
    return 0


def _lexicon(options: argparse.Namespace, settings: Settings) -> int:
    from tts_server.engines import EngineError  # noqa: PLC0415 - numpy
    from tts_server.lexicon import LexiconError  # noqa: PLC0415 - opencc
    from tts_server.lexicon.file import LexiconFile  # noqa: PLC0415 - as above

    if not options.file.is_file():
        return fail(f"{options.file} is not a file.", 1)
    try:
        lexicon = LexiconFile(options.file).read(load_engine(settings).syllables)
    except EngineError as error:
        return fail(str(error), NO_MODEL)
    except (LexiconError, OSError) as error:
        return fail(f"{options.file}: {error}", 1)
    sys.stdout.write(f"{options.file}: {len(lexicon.entries)} entries\n")
    return 0


def load_engine(settings: Settings) -> "Engine":
    """Create and load the engine that the settings name. Raises EngineError."""
    from tts_server.engines import create_engine  # noqa: PLC0415 - numpy

    engine = create_engine(settings)
    engine.load()
    return engine


def fail(message: str, status: int) -> int:
    """Write the message to standard error, and return the exit status."""
    sys.stderr.write(f"tts-server: {message}\n")
    return status
