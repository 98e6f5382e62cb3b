"""The commands of `kubectl tts job`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from tts_operator.cli.jobs import download, text, view
from tts_operator.cli.jobs.follow import Limits, Then, follow, hint, progress_of, save_audio
from tts_operator.cli.jobs.options import (
    JSON,
    YAML,
    Limit,
    check_timeout,
    connection_options,
    follow_options,
    format_of,
    id_argument,
    submit_options,
)
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.options import CONTEXT_SETTINGS, cluster_options, command, output_option
from tts_operator.cli.output import document
from tts_operator.cli.refused import RefusedError, UnreachableError
from tts_operator.cli.server.api import Api, UnavailableError
from tts_operator.cli.server.forward import Forward
from tts_operator.cli.server.keys import api_key
from tts_operator.cli.wording import now
from tts_operator.json_object import Json

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What the user has a job do, and where its audio goes."""

    file: str
    content: str
    output: Path | None
    options: Mapping[str, str]
    metadata: Sequence[tuple[str, str]]
    key: str


@click.group(context_settings=CONTEXT_SETTINGS)
@cluster_options
def job() -> None:
    """Have long texts read, such as books."""


@command
@click.argument("file", metavar="FILE")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE|json|yaml",
    help="Wait for the job and save its audio, and its captions beside it. json, yaml: print the job, for programs.",
)
@follow_options
@submit_options
@connection_options
def submit(
    kubectl: Kubectl,
    /,
    file: str,
    *,
    output: Path | None,
    watch: bool,
    timeout: float | None,
    metadata: tuple[tuple[str, str], ...],
    idempotency_key: str | None,
    service: str | None,
    key_name: str | None,
    **fields: str | None,
) -> int:
    """Have a long text read, such as a book.

    FILE is an EPUB book, or plain text or Markdown in UTF-8; - reads the standard input.
    """
    printed = str(output) if str(output) in {JSON, YAML} else None
    saved = None if printed else output
    check_timeout(timeout, waits=watch or saved is not None)
    if fields["chapters"] and fields["chapter_marker"]:
        raise click.UsageError("--chapters and --chapter-marker are not allowed with each other; choose one")
    if saved and not fields["response_format"]:
        fields["response_format"] = format_of(saved)
    if fields["chapter_marker"]:
        fields["chapters"] = "marker"
    content = text.decode(text.read(file), file)
    if saved:
        download.check(saved)
    submitted = Submitted(
        file=file,
        content=content,
        output=saved,
        options={name: value for name, value in fields.items() if value is not None},
        metadata=metadata,
        key=idempotency_key or str(uuid.uuid4()),
    )
    with _api(kubectl, service, key_name) as (api, then):
        return _submit(api, then, submitted, Limits(watch=watch, seconds=timeout), printed=printed)


def _submit(api: Api, then: Then, submitted: Submitted, limits: Limits, *, printed: str | None) -> int:
    request = text.submission(submitted.content, submitted.file, submitted.options, submitted.metadata)
    key = submitted.key
    try:
        body = api.call("POST", request.path, request.body, Content_Type=request.content_type, Idempotency_Key=key)
    except UnavailableError as error:
        raise UnreachableError(
            f"{error}. The server may have taken the job all the same: try again with --idempotency-key={key}, "
            "which makes no second one"
        ) from error
    found = view.job(body)
    if not printed:
        print(f"{found.id}: submitted, {found.characters:,} characters", flush=True)
    if limits.watch or submitted.output:
        return follow(api, then, found.id, limits, output=submitted.output, printed=printed, is_new=True)
    if printed:
        document(body, printed)
    else:
        print(f"To follow it: {then('status', found.id, '--watch')}")
    return 0


@command
@click.option("--limit", type=Limit(), default=20, metavar="N", help="How many. Default: 20.")
@output_option()
@connection_options
def list_jobs(kubectl: Kubectl, *, limit: int, output: str | None, service: str | None, key_name: str | None) -> int:
    """List your jobs, the newest first."""
    bodies: list[Json] = []
    with _api(kubectl, service, key_name) as (api, _):
        after = ""
        while len(bodies) < limit:
            page = api.call("GET", f"{text.PATH}?limit={min(PAGE, limit - len(bodies))}{after}")
            data = page.get("data")
            if not isinstance(data, list):
                raise UnreachableError("the server's answer is not a list of jobs")
            found = [view.job(each) for each in data]
            bodies += data
            if not (found and page.get("has_more")):
                break
            after = f"&after={found[-1].id}"
    if output:
        document(bodies, output)
    elif bodies:
        print(view.listing([view.job(each) for each in bodies], now()))
    else:
        print("There are no jobs.")
    return 0


@command
@id_argument
@follow_options
@output_option()
@connection_options
def status(
    kubectl: Kubectl,
    job_id: str,
    *,
    watch: bool,
    timeout: float | None,
    output: str | None,
    service: str | None,
    key_name: str | None,
) -> int:
    """Show the progress of a job."""
    check_timeout(timeout, waits=watch)
    with _api(kubectl, service, key_name) as (api, then):
        if watch:
            return follow(api, then, job_id, Limits(watch=True, seconds=timeout), printed=output)
        body = api.call("GET", f"{text.PATH}/{job_id}")
        found = view.job(body)
        if output:
            document(body, output)
        else:
            print(view.block(found, now(), then))
        return 0


@command
@id_argument
@connection_options
def cancel(kubectl: Kubectl, job_id: str, *, service: str | None, key_name: str | None) -> int:
    """Cancel a job that has not ended."""
    with _api(kubectl, service, key_name) as (api, _):
        found = view.job(api.call("POST", f"{text.PATH}/{job_id}/cancel"))
    print(f"{found.id} is {found.status}.")
    return 0


@command
@id_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to save the audio.",
)
@follow_options
@connection_options
def download_job(
    kubectl: Kubectl,
    job_id: str,
    *,
    output: Path,
    watch: bool,
    timeout: float | None,
    service: str | None,
    key_name: str | None,
) -> int:
    """Save the audio of a job, and its captions."""
    check_timeout(timeout, waits=watch)
    download.check(output)
    with _api(kubectl, service, key_name) as (api, then):
        if watch:
            return follow(api, then, job_id, Limits(watch=True, seconds=timeout), output=output)
        found = view.job(api.call("GET", f"{text.PATH}/{job_id}"))
        if not found.over:
            again = then("download", found.id, "-o", str(output), "--watch")
            raise RefusedError(f"{found.id} is not completed yet: {view.headline(found)}. {again} waits for it")
        if not found.good:
            raise RefusedError(f"{found.id} has no audio: {view.headline(found)}")
        save_audio(api, found, output, progress_of(printed=None))
        return 0


for name, each in (
    ("submit", submit), ("list", list_jobs), ("status", status), ("cancel", cancel), ("download", download_job),
):  # fmt: skip
    job.add_command(each, name)


@contextmanager
def _api(kubectl: Kubectl, name: str | None, key_name: str | None) -> Iterator[tuple[Api, Then]]:
    """Yield the API of the service, and the words for what comes next."""
    given = {"--service": name, "--key-name": key_name}
    flags = tuple(f"{flag}={value}" for flag, value in given.items() if value)
    then = Then(flags=(*flags, *kubectl.flags))
    service = kubectl.service(name or kubectl.only_service())
    key = api_key(kubectl, service.api_keys, key_name, os.environ)
    with closing(Api(lambda: Forward(kubectl, service.name), key, lambda error: hint(error, then))) as api:
        yield api, then
