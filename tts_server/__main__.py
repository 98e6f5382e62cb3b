"""The ``tts-server`` command."""

import argparse
import sys
import time
from pathlib import Path

from tts_server import __version__
from tts_server.cli import commands as model_commands
from tts_server.cli.commands import fail
from tts_server.settings import Settings, SettingsError, settings_table

_DESCRIPTION = """\
Mandarin text-to-speech: an HTTP server with OpenAI's speech API, and the same voice on the command line.

  tts-server serve                          serve the API and the web page on port 7860
  tts-server work                           speak jobs for long texts that servers put into Kafka
  tts-server say "您好，世界。" -o hello.wav   write speech to a file, without a server
  tts-server check                          load the model, speak a sentence, and check that it is speech
  tts-server voices                         list voices and emotions
  tts-server lexicon words.yaml             check a lexicon
  tts-server fetch                          download the model for TTS_ENGINE=modelscope, once
  tts-server triton-repository              write the networks for a Triton, and TTS_ENGINE=triton
  tts-server webhook-key shop               print what signs the messages about jobs to a tenant
"""

_SAY_EXAMPLES = """\
examples:
  tts-server say "您好，世界。" -o hello.wav
  tts-server say "太好了！" -o happy.mp3 --emotion happy --speed 1.2
  tts-server say - -o chapter.opus < chapter.txt
  tts-server say "您好。" -o hello.alaw                      for a telephone: 8 kHz, A-law
  tts-server say "您好。" -o hello.wav --sample-rate 8000
"""
_FACTORS = {"speed": (0.25, 4.0), "pitch": (0.5, 2.0), "volume": (0.0, 2.0)}  # the API's ranges


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 0, 1 for a failure, 2 for wrong usage or settings."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options, Settings.from_environ()))
    except SettingsError as error:
        return fail(str(error), 2)


def _parser() -> argparse.ArgumentParser:
    table = "\n".join(
        f"  {env:<30} {text}{f' Default: {default}.' if default else ''}" for env, default, text in settings_table()
    )
    parser = argparse.ArgumentParser(
        prog="tts-server",
        description=_DESCRIPTION,
        epilog=f"settings, as environment variables:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tts-server {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve HTTP until SIGTERM")
    serve.set_defaults(run=_serve)

    work = commands.add_parser(
        "work",
        help="speak jobs for long texts until SIGTERM, for servers that take them",
        description="Takes segments of jobs from Kafka (TTS_KAFKA_BOOTSTRAP_SERVERS), speaks them, and writes them to "
        "TTS_JOBS_STORAGE. The port only answers /health, /ready and /metrics.",
    )
    work.set_defaults(run=_work)

    say = commands.add_parser(
        "say",
        help="speak a text to a file",
        description="Speaks without a server. The file extension selects the format: "
        "wav, mp3, opus, ogg, aac, flac, pcm, alaw, ulaw or g722.",
        epilog=_SAY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    say.add_argument("text", help="the text; - reads it from standard input")
    say.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the file to write")
    say.add_argument("--voice", help="one of `tts-server voices`")
    say.add_argument("--emotion", default="neutral", help="one of `tts-server voices` (default: neutral)")
    for name, (low, high) in _FACTORS.items():
        say.add_argument(f"--{name}", type=float, default=1.0, help=f"from {low:g} to {high:g} (default: 1)")
    say.add_argument("--sample-rate", type=int, metavar="HZ", help="such as 8000 (default: what suits the format)")
    say.set_defaults(run=_say)

    model_commands.add_parsers(commands)

    drain = commands.add_parser(
        "drain",
        help="make the running server not ready, and wait until traffic has moved away",
        description="For a pod's preStop hook. /ready answers 503 at once; the command then waits TTS_DRAIN_SECONDS.",
    )
    drain.set_defaults(run=_drain)

    prepare = commands.add_parser(
        "prepare",
        help="prepare the networks and tables once, when an image is built",
        description="Writes the prepared networks beside the weights, where every later start finds them. With FILE, "
        "writes only the patched acoustic model, to that file.",
    )
    prepare.add_argument("file", nargs="?", type=Path, metavar="FILE")
    prepare.set_defaults(run=_prepare)
    return parser


def _serve(_: argparse.Namespace, settings: Settings) -> int:
    return _serve_until_stopped(settings, work=False)


def _serve_until_stopped(settings: Settings, *, work: bool) -> int:
    from tts_server.wsgi.server import report_fatal, serve  # noqa: PLC0415 - gunicorn, which other commands do not need

    try:
        serve(settings, work=work)
    except OSError as error:
        report_fatal(str(error))
        return 1
    return 0


def _work(_: argparse.Namespace, settings: Settings) -> int:
    for variable in ("jobs_storage", "kafka_bootstrap_servers"):
        if not getattr(settings, variable):
            return fail(f"a worker needs TTS_{variable.upper()}. Without Kafka, `tts-server serve` speaks its jobs.", 2)
    return _serve_until_stopped(settings, work=True)


def _say(options: argparse.Namespace, settings: Settings) -> int:
    # Numpy, which `drain` must not wait for.
    from tts_server.audio.encoding import at_rate, encode_file, format_of_file  # noqa: PLC0415 - see above
    from tts_server.cli.speak import speak  # noqa: PLC0415 - see above

    factors = {name: getattr(options, name) for name in _FACTORS}
    for name, (low, high) in _FACTORS.items():
        if not low <= factors[name] <= high:
            return fail(f"--{name} must be from {low:g} to {high:g}.", 2)
    try:
        output_format = at_rate(format_of_file(options.output.name), options.sample_rate)
    except ValueError as error:
        return fail(str(error), 2)
    text = sys.stdin.read() if options.text == "-" else options.text
    try:
        engine = model_commands.load_engine(settings)
        voice = options.voice or settings.default_voice or None
        pcm = speak(engine, text, voice=voice, emotion=options.emotion, **factors)
        options.output.write_bytes(encode_file(output_format, pcm, engine.sample_rate))
    except (ValueError, RuntimeError, OSError) as error:
        return fail(str(error), 1)
    return 0


def _drain(_: argparse.Namespace, settings: Settings) -> int:
    from tts_server.process.lifecycle import RunFolder  # noqa: PLC0415 - as for the other commands

    folder = RunFolder(settings.port)
    if not folder.exists:
        return fail(f"this user runs no server on port {settings.port} (TTS_PORT).", 1)
    folder.request_drain()
    time.sleep(settings.drain_seconds)
    return 0


def _prepare(options: argparse.Namespace, _: Settings) -> int:
    from tts_server.engines.fastspeech2 import assets, reading_tables  # noqa: PLC0415 - numpy

    target = options.file or assets.prepared_acoustic_path()
    assets.write_patched(target)
    sys.stdout.write(f"{target}\n")
    if not options.file:
        sys.stdout.write(f"{assets.prepare_vocoder()}\n")
        sys.stdout.write(f"{reading_tables.prepare()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
