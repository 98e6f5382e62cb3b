"""Accept a job, from a request over HTTP or from a message: check it, charge for it, store it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tts_server.api.endpoints.models import check_model_name
from tts_server.api.endpoints.speech_responses import refusals
from tts_server.api.errors import ApiError
from tts_server.api.schema.jobs import JobOptions, ParsedJob
from tts_server.apikeys import ApiKey
from tts_server.audio.encoding import FILE_FORMATS, FileFormatName, at_rate
from tts_server.engines import NEUTRAL, Delivery
from tts_server.jobs.model import Job, Options
from tts_server.jobs.runtime import Jobs
from tts_server.jobs.submission import IdempotencyConflictError, TextError, TooManyJobsError, inbox_text
from tts_server.jobs.webhook import WebhookAddressError
from tts_server.quota.quotas import QuotaExceededError, Quotas, TooLongForQuotaError
from tts_server.ssml import is_ssml
from tts_server.synthesis.service import NoTimestampsError, SpeechService, Utterance

RETRY_SECONDS = 5
_ENOUGH_FOR_MARKUP = 4096
_DEFAULT_FORMAT: FileFormatName = "mp3"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Accepts jobs of all callers."""

    jobs: Jobs
    service: SpeechService
    quotas: Quotas
    model_name: str
    max_open: int

    def accept_parsed(self, caller: ApiKey, parsed: ParsedJob, key: str) -> tuple[Job, bool]:
        """Do as :meth:`accept`, with the text or the file that the request names."""
        if parsed.file is None:
            return self.accept(caller, parsed.options, [parsed.text or ""], key)
        text = inbox_text(self.jobs.storage, caller.name, parsed.file)
        return self.accept(caller, parsed.options, text, key, param="input_file")

    def accept(
        self, caller: ApiKey, parsed: JobOptions, text: Iterable[str], key: str, *, param: str = "input"
    ) -> tuple[Job, bool]:
        """Return the job of the request, and whether it is new. ``param`` names the field of the text.

        Raises ApiError and StorageError.
        """
        charged = 0

        def charge(characters: int) -> None:
            nonlocal charged
            self.quotas.spend(caller, characters)
            charged = characters

        try:
            job, created = self.jobs.submissions.submit(
                caller.name, self._options(parsed), _plain(text, param), key=key, charge=charge
            )
        except BaseException as error:
            if charged:
                self.quotas.refund(caller, charged)
            refusal = self._refusal(error, param)
            if refusal:
                raise refusal from None
            raise
        if created:
            self.quotas.count(caller, characters=charged)
        elif charged:  # another request with this key was faster
            self.quotas.refund(caller, charged)
        return job, created

    def _refusal(self, error: BaseException, param: str) -> ApiError | None:
        """Return the response for an error of a submission, or None if it has none."""
        if isinstance(error, TextError):
            return ApiError(400, str(error), code=error.code, param=param)
        if isinstance(error, IdempotencyConflictError):
            return ApiError(
                409,
                "This Idempotency-Key was used for another request. Use a new key for each request.",
                code="idempotency_conflict",
            )
        if isinstance(error, TooManyJobsError):
            return ApiError(
                429,
                f"The key has {self.max_open} jobs that have not ended. Wait for one, or cancel one.",
                code="too_many_jobs",
                kind="requests",
                retry_after=RETRY_SECONDS,
            )
        if isinstance(error, QuotaExceededError):
            return ApiError(429, str(error), code=error.code, kind=error.kind, retry_after=error.retry_after)
        if isinstance(error, TooLongForQuotaError):
            return ApiError(400, str(error), code="input_too_long", param=param)
        return None

    def _options(self, parsed: JobOptions) -> Options:
        """Return the options, if this server can do what they ask for. Raises :class:`ApiError`."""
        check_model_name(parsed.model, self.model_name)
        try:
            at_rate(FILE_FORMATS[parsed.response_format or _DEFAULT_FORMAT], parsed.sample_rate)
        except ValueError as error:
            raise ApiError(400, str(error), code="invalid_value", param="sample_rate") from None
        factors = {name: getattr(parsed, name) for name in ("speed", "pitch", "volume")}
        given = {name: value for name, value in factors.items() if value is not None}
        lexicon = parsed.lexicon or {}
        with refusals("input"):
            delivery = self.service.check(Delivery(parsed.voice_id, parsed.emotion or NEUTRAL, **given))
            self.service.script(Utterance("", delivery, lexicon, plain=True))  # refuses a lexicon that is wrong
            if parsed.subtitles and not self.service.aligns:
                raise NoTimestampsError(f"The engine {self.service.engine.name!r} does not know when words sound.")
        if parsed.webhook:
            try:
                self.jobs.webhooks.check(parsed.webhook)
            except WebhookAddressError as error:
                raise ApiError(400, f"'webhook': {error}", code="invalid_webhook", param="webhook") from None
        return Options(
            voice=delivery.voice,
            emotion=delivery.emotion,
            speed=delivery.speed,
            pitch=delivery.pitch,
            volume=delivery.volume,
            lexicon=lexicon,
            response_format=parsed.response_format or _DEFAULT_FORMAT,
            sample_rate=parsed.sample_rate,
            chapters=parsed.chapters or "none",
            chapter_marker=parsed.chapter_marker or "",
            subtitles=parsed.subtitles,
            title=parsed.title or "",
            webhook=parsed.webhook or "",
            metadata=parsed.metadata or {},
        )


def _plain(text: Iterable[str], param: str) -> Iterator[str]:
    """Yield the text. Raises :class:`ApiError` if it is SSML."""
    is_first = True
    for fragment in text:
        if is_first and is_ssml(fragment[:_ENOUGH_FOR_MARKUP]):
            raise ApiError(
                400,
                "A job reads plain text or Markdown. Send SSML to /v1/audio/speech.",
                code="invalid_value",
                param=param,
            )
        is_first = False
        yield fragment
