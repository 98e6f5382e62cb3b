"""Which segment is next, between tenants and between the jobs of one tenant. Pure."""

from collections import deque
from dataclasses import dataclass, field

from tts_server.jobs.model import JobName
from tts_server.jobs.queue.tasks import Task

_OLDEST_EVERY = 4
"""Every so many turns of a tenant belong to its oldest job."""


@dataclass(slots=True)
class _Waiting:
    """The segments of one job that wait, as tasks with ranges."""

    ranges: deque[Task] = field(default_factory=deque)

    @property
    def segments(self) -> int:
        return sum(each.last - each.first for each in self.ranges)


@dataclass(slots=True)
class _Tenant:
    """The jobs of one tenant, and how many segments it got, which only counts relative to others."""

    got: float
    turns: int = 0
    jobs: dict[JobName, _Waiting] = field(default_factory=dict)


class FairQueue:
    """Segments that wait. Tenants take turns by what they got; a tenant's jobs by what they still need."""

    def __init__(self) -> None:
        self._tenants: dict[str, _Tenant] = {}
        self._now = 0.0
        """What the tenant that is next has got. A tenant that comes back begins here, so it cannot claim the past."""

    def __len__(self) -> int:
        return sum(each.segments for tenant in self._tenants.values() for each in tenant.jobs.values())

    @property
    def jobs(self) -> set[JobName]:
        """The jobs that have segments here."""
        return {job for tenant in self._tenants.values() for job in tenant.jobs}

    def add(self, task: Task, *, again: bool = False) -> None:
        """Add segments to speak. Those that come ``again`` go before the others of their job."""
        if task.first >= task.last:
            return
        tenant = self._tenants.setdefault(task.job.tenant, _Tenant(self._now))
        waiting = tenant.jobs.setdefault(task.job, _Waiting())
        if again:
            waiting.ranges.appendleft(task)
        else:
            waiting.ranges.append(task)

    def pop(self) -> Task | None:
        """Return the segment that is next, or None if none waits."""
        if not self._tenants:
            return None
        tenant = self._tenants[min(self._tenants, key=lambda name: (self._tenants[name].got, name))]
        self._now = tenant.got
        tenant.got += 1
        tenant.turns += 1
        job = self._job(tenant)
        ranges = tenant.jobs[job].ranges
        task = ranges.popleft()
        if task.last - task.first > 1:
            ranges.appendleft(Task("speak", job, task.plan, task.first + 1, task.last))
        elif not ranges:
            self._remove(job)
        return Task("speak", job, task.plan, task.first, task.first + 1)

    def remove(self, job: JobName) -> None:
        """Remove all segments of a job."""
        if job.tenant in self._tenants and job in self._tenants[job.tenant].jobs:
            self._remove(job)

    def _remove(self, job: JobName) -> None:
        jobs = self._tenants[job.tenant].jobs
        del jobs[job]
        if not jobs:
            del self._tenants[job.tenant]

    @staticmethod
    def _job(tenant: _Tenant) -> JobName:
        if tenant.turns % _OLDEST_EVERY == 0:
            return min(tenant.jobs, key=lambda job: job.id)  # ids sort by time
        return min(tenant.jobs, key=lambda job: (tenant.jobs[job].segments, job.id))
