"""The command `kubectl tts`, which kubectl finds as `kubectl-tts` on the PATH."""

from __future__ import annotations

import os
import sys

import click

from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.root import root
from tts_operator.printable import without_controls

INVALID, REFUSED, UNREACHABLE, BUG, INTERRUPTED = 2, 3, 4, 70, 130
PROGRAM = "kubectl tts"
COMPLETE = "_KUBECTL_TTS_COMPLETE"
"""The variable in which a shell's script asks for completion; `completion` prints that script."""


def main() -> None:
    """Run one command and exit with its code."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _closed_pipe()
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run one command and return its exit code. Never raises."""
    try:
        return int(root.main(words, prog_name=PROGRAM, complete_var=COMPLETE, standalone_mode=False) or 0)
    except click.UsageError as error:
        return _misused(error)
    except click.ClickException as error:
        return _fail(error.format_message(), INVALID)
    except RefusedError as error:
        return _fail(str(error), REFUSED)
    except UnreachableError as error:
        return _fail(str(error), UNREACHABLE)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except ModuleNotFoundError as error:
        return _fail(
            f"this installation of the plugin lacks {error.name}, which the command needs: install the plugin with pip "
            "and its extra [cli]",
            REFUSED,
        )
    except BrokenPipeError:  # `| head` closes the pipe early, which is no failure
        return _closed_pipe()
    except Exception as error:  # noqa: BLE001 - a user gets one line, and the details in a file
        return _bug(error)


def _misused(error: click.UsageError) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)
        return INVALID
    command = error.ctx.command_path if error.ctx else PROGRAM
    return _fail(f"{error.format_message()}\nTo see what it takes: `{command} --help`", INVALID)


def _closed_pipe() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _bug(error: Exception) -> int:
    """Keep the traceback in a file, for the report of the bug."""
    import tempfile  # noqa: PLC0415 - rarely needed
    import traceback  # noqa: PLC0415

    where = ""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="kubectl-tts-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
        where = f" Please report it with {file.name}, which has the details"
    except OSError:
        pass
    return _fail(f"this is a bug in kubectl tts ({type(error).__name__}).{where}", BUG)


def _fail(text: str, code: int) -> int:
    print(f"error: {without_controls(text)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
