"""What others are told about a job: by its webhook, and through the queue."""

from collections.abc import Callable
from typing import Literal, Protocol

from tts_server.jobs.model import End, Job, JobName
from tts_server.jobs.records import Progress

EventType = Literal["accepted", "progress", "completed", "failed", "cancelled"]
Event = dict[str, object]


class Describe(Protocol):
    """From a job to the event that tells of it."""

    def __call__(self, kind: EventType, job: Job, *, end: End | None = None, progress: Progress | None = None) -> Event:
        """Return the event."""
        ...


Publish = Callable[[Job, Event], None]
"""Puts an event into a topic. Raises QueueError."""


class Events:
    """Tells what happens to jobs, at least once. Whoever must not see an event twice compares the id of the job."""

    def __init__(
        self,
        describe: Describe,
        *,
        publish: Publish | None,
        call: Callable[[JobName, str, Event, float], None],
    ) -> None:
        """Publish events, if there is a topic for them.

        ``call`` sends one to a webhook: the job, the URL, the event, and since when it is due. It raises WebhookError.
        """
        self._describe = describe
        self._publish = publish
        self._call = call

    def accepted(self, job: Job) -> None:
        """Tell that a job has been split, so nothing but the voice can be wrong with it."""
        if self._publish:
            self._publish(job, self._describe("accepted", job))

    def progressed(self, job: Job, progress: Progress) -> None:
        """Tell how far a job is."""
        if self._publish:
            self._publish(job, self._describe("progress", job, progress=progress))

    def ended(self, job: Job, end: End) -> None:
        """Tell how a job has ended."""
        if self._publish:
            self._publish(job, self._describe(end.outcome, job, end=end))

    def call_webhook(self, job: Job, end: End) -> None:
        """Tell the same to the webhook of the job, if it has one."""
        if job.options.webhook:
            self._call(job.name, job.options.webhook, self._describe(end.outcome, job, end=end), end.at)
