"""Jobs as messages: the JSON of ``POST /v1/audio/jobs``, with what HTTP has in headers."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import ValidationError

from tts_server.api.context import Context
from tts_server.api.errors import ApiError
from tts_server.api.jobs.acceptance import Acceptance
from tts_server.api.schema.jobs import Envelope, parse_job
from tts_server.api.schema.requests import parse_json
from tts_server.apikeys import ANONYMOUS, ApiKey
from tts_server.jobs.queue.tasks import RequestRefusedError, TryLaterError
from tts_server.jobs.runtime import Jobs


def job_messages(ctx: Context, jobs: Jobs) -> "JobMessages":
    """Return what accepts the messages of a server."""
    callers = {each.name: each for each in ctx.settings.api_keys or (ANONYMOUS,)}
    return JobMessages(Acceptance(jobs, ctx.service, ctx.quotas, ctx.model_name, ctx.settings.jobs_max_open), callers)


class JobMessages:
    """Accepts messages for the callers with these names."""

    def __init__(self, acceptance: Acceptance, callers: Mapping[str, ApiKey]) -> None:
        self._acceptance = acceptance
        self._callers = callers

    def accept(self, data: bytes, key: str) -> None:
        """Accept the job of a message. ``key`` is its idempotency key, unless it has one of its own.

        Raises RequestRefusedError, TryLaterError, StorageError and QueueError.
        """
        try:
            values = parse_json(data)
            envelope = Envelope.model_validate(values)
            caller = self._callers.get(envelope.tenant)
            if caller is None:
                raise RequestRefusedError(f"tenant: There is no API key with the name {envelope.tenant[:64]!r}.")
            self._acceptance.accept_parsed(caller, parse_job(data), envelope.idempotency_key or key)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            raise RequestRefusedError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        except ApiError as error:
            reason = f"{error.code}: {error.message}"
            if error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TryLaterError(reason) from None
            raise RequestRefusedError(reason) from None
