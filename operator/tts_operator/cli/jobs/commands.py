"""The commands of `kubectl tts job`."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tts_operator.cli.jobs import download, text, view
from tts_operator.cli.jobs.api import Api, UnavailableError
from tts_operator.cli.jobs.arguments import JSON
from tts_operator.cli.jobs.forward import Forward
from tts_operator.cli.jobs.keys import api_key
from tts_operator.cli.jobs.progress import Progress, printable_json
from tts_operator.cli.jobs.view import Job
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.view import SHOWN_MAX
from tts_operator.json_object import Json
from tts_operator.printable import one_line

PERIOD = 2.0
"""Seconds between two looks at a job."""
FAILURES_MAX = 30
"""Consecutive looks that may fail: a job outlives restarts of its servers, and the watch does too."""
FAILED, TIMED_OUT = 1, 124
PAGE = 50
OPTIONS = ("voice", "emotion", "speed", "title", "chapters", "chapter_marker", "subtitles")
"""Flags that are named as the fields of a request are."""


@dataclass(frozen=True, kw_only=True)
class Then:
    """Words what to type next, with the flags that the user has typed."""

    flags: tuple[str, ...]

    def __call__(self, command: str, *words: str) -> str:
        """Return the command in backticks."""
        return f"`{shlex.join(['kubectl', 'tts', 'job', command, *words, *self.flags])}`"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How long to follow a job, and how."""

    api: Api
    then: Then
    seconds: float | None
    progress: Progress

    def follow(self, job_id: str) -> Job | None:
        """Show the progress until the job has ended. Returns it, or None at the time-out."""
        deadline = None if self.seconds is None else time.monotonic() + self.seconds
        failures, is_reached = 0, False
        while True:
            try:
                body = self.api.call("GET", f"{text.PATH}/{job_id}", attempts=1)
                failures = 0
                found = view.job(body)
                self.progress.show(found, body)
                if found.over:
                    return found
                is_reached = True
            except UnreachableError as error:
                failures += 1
                if failures >= FAILURES_MAX or not (is_reached or isinstance(error, UnavailableError)):
                    raise
                if failures == 1:
                    self.progress.end()
                    print(f"retrying: {error}", file=sys.stderr)
            left = PERIOD if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(PERIOD, left))


def run(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    """Run one command and return its exit code."""
    command = {"submit": _submit, "list": _list, "status": _status, "cancel": _cancel, "download": _download}
    return command[arguments.job_command](kubectl, arguments)


def _submit(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    as_json = str(arguments.output) == JSON
    output = None if as_json else arguments.output
    content = text.decode(text.read(arguments.file), arguments.file)
    if output:
        download.check(output)
    request = text.submission(content, arguments.file, _options(arguments), arguments.metadata)
    key = arguments.idempotency_key or str(uuid.uuid4())
    with _api(kubectl, arguments) as (api, then):
        try:
            body = api.call("POST", request.path, request.body, Content_Type=request.content_type, Idempotency_Key=key)
        except UnavailableError as error:
            raise UnreachableError(
                f"{error}. The server may have taken the job all the same: try again with --idempotency-key={key}, "
                "which makes no second one"
            ) from error
        found = view.job(body)
        if not as_json:
            print(f"{found.id}: submitted, {found.characters:,} characters", flush=True)
        if not (arguments.watch or output):
            print(_json(body) if as_json else f"To follow it: {then('status', found.id, '--watch')}")
            return 0
        return _follow(api, then, arguments, found.id, output, as_json=as_json)


def _list(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    bodies: list[Json] = []
    with _api(kubectl, arguments) as (api, _):
        after = ""
        while len(bodies) < arguments.limit:
            limit = min(PAGE, arguments.limit - len(bodies))
            page = api.call("GET", f"{text.PATH}?limit={limit}{after}")
            data = page.get("data")
            if not isinstance(data, list):
                raise UnreachableError("the server's answer is not a list of jobs")
            found = [view.job(each) for each in data]
            bodies += data
            if not (found and page.get("has_more")):
                break
            after = f"&after={found[-1].id}"
    if arguments.output == JSON:
        print(_json(bodies))
    elif bodies:
        print(view.listing([view.job(each) for each in bodies], _now()))
    else:
        print("There are no jobs.")
    return 0


def _status(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    as_json = arguments.output == JSON
    with _api(kubectl, arguments) as (api, then):
        if arguments.watch:
            return _follow(api, then, arguments, arguments.id, None, as_json=as_json)
        body = api.call("GET", f"{text.PATH}/{arguments.id}")
        print(_json(body) if as_json else view.block(view.job(body), _now(), then))
        return 0


def _cancel(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    with _api(kubectl, arguments) as (api, _):
        found = view.job(api.call("POST", f"{text.PATH}/{arguments.id}/cancel"))
    print(f"{found.id} is {found.status}.")
    return 0


def _download(kubectl: Kubectl, arguments: argparse.Namespace) -> int:
    download.check(arguments.output)
    with _api(kubectl, arguments) as (api, then):
        if arguments.watch:
            return _follow(api, then, arguments, arguments.id, arguments.output, as_json=False)
        found = view.job(api.call("GET", f"{text.PATH}/{arguments.id}"))
        if not found.over:
            again = then("download", found.id, "-o", str(arguments.output), "--watch")
            raise RefusedError(f"{found.id} is not completed yet: {view.headline(found)}. {again} waits for it")
        if not found.good:
            raise RefusedError(f"{found.id} has no audio: {view.headline(found)}")
        _save(api, found, arguments.output, _progress(as_json=False))
        return 0


def _follow(
    api: Api, then: Then, arguments: argparse.Namespace, job_id: str, output: Path | None, *, as_json: bool
) -> int:
    """Follow a job to its end, and save its audio. Returns the exit code."""
    progress = _progress(as_json=as_json)
    words = ("download", job_id, "-o", str(output), "--watch") if output else ("status", job_id, "--watch")
    try:
        found = Watch(api=api, then=then, seconds=arguments.timeout, progress=progress).follow(job_id)
        progress.end()
        if found is None:
            print(
                f"error: not completed after {arguments.timeout:g} s. The job goes on: {then(*words)}", file=sys.stderr
            )
            return TIMED_OUT
        if not found.good:
            print(f"error: {found.id} {view.headline(found)}", file=sys.stderr)
            return FAILED
        if output:
            _save(api, found, output, progress)
        elif not as_json:
            print(view.block(found, _now(), then))
    except BaseException:
        progress.end()
        if arguments.job_command == "submit":
            print(f"The job is accepted all the same. To go on: {then(*words)}", file=sys.stderr)
        raise
    return 0


def _save(api: Api, found: Job, output: Path, progress: Progress) -> None:
    path = f"{text.PATH}/{found.id}"
    download.save(api, f"{path}/audio?redirect=false", output, found.audio_bytes or 0, progress.show_download)
    progress.end()
    print(f"Saved {one_line(output, SHOWN_MAX)}: {view.headline(found).partition(': ')[2]}.")
    if found.subtitles:
        captions = download.beside(output, found.subtitles)
        most = download.SUBTITLES_BYTES_MAX
        download.save(api, f"{path}/subtitles?redirect=false", captions, most, progress.show_download)
        progress.end()
        print(f"Saved {one_line(captions, SHOWN_MAX)}: the captions.")


def _options(arguments: argparse.Namespace) -> dict[str, str]:
    given = {name: getattr(arguments, name) for name in OPTIONS}
    given |= {
        "response_format": arguments.format,
        "chapters": "marker" if arguments.chapter_marker else arguments.chapters,
    }
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _api(kubectl: Kubectl, arguments: argparse.Namespace) -> Iterator[tuple[Api, Then]]:
    """Yield the API of the service, and the words for what comes next."""
    given = {"--service": arguments.service, "--key-name": arguments.key_name}
    flags = tuple(f"{flag}={value}" for flag, value in given.items() if value)
    then = Then(flags=(*flags, *kubectl.flags))
    service = kubectl.service(arguments.service or kubectl.only_service())
    key = api_key(kubectl, service.api_keys, arguments.key_name, os.environ)
    with closing(Api(lambda: Forward(kubectl, service.name), key, then)) as api:
        yield api, then


def _progress(*, as_json: bool) -> Progress:
    return Progress(as_json=as_json, is_terminal=sys.stderr.isatty())


def _json(body: Json | list[Json]) -> str:
    return printable_json(body, indent=2)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
