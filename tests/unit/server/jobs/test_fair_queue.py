"""Who is next."""

from collections import Counter

from tts_server.jobs.model import JobName
from tts_server.jobs.queue.fair import FairQueue
from tts_server.jobs.queue.tasks import Task


def job(number: int, tenant: str = "shop") -> JobName:
    return JobName(tenant, f"job_{number:028x}")


def queue(**segments: int) -> FairQueue:
    """A queue with one job for each tenant."""
    made = FairQueue()
    for number, (tenant, count) in enumerate(segments.items()):
        made.add(Task("speak", job(number, tenant), 1, 0, count))
    return made


def drained(made: FairQueue) -> list[Task]:
    return list(iter(made.pop, None))


def test_each_segment_comes_once_and_in_order() -> None:
    made = queue(shop=5)
    assert [(each.first, each.last) for each in drained(made)] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    assert len(made) == 0


def test_a_short_text_does_not_wait_for_books() -> None:
    made = FairQueue()
    for number in range(10):
        made.add(Task("speak", job(number), 1, 0, 1000))
    for _ in range(5):
        made.pop()
    made.add(Task("speak", job(99), 1, 0, 2))
    turns = [each.job for each in (made.pop() for _ in range(4)) if each]
    assert turns.count(job(99)) == 2


def test_a_book_goes_on_beside_many_short_texts() -> None:
    made = FairQueue()
    made.add(Task("speak", job(0), 1, 0, 1000))
    books = 0
    for number in range(1, 101):
        made.add(Task("speak", job(number), 1, 0, 2))
        books += sum(each.job == job(0) for each in (made.pop(), made.pop()) if each)
    assert books == 50


def test_tenants_get_the_same_however_many_jobs_they_have() -> None:
    made = queue(shop=100)
    for number in range(50):
        made.add(Task("speak", job(number, "flood"), 1, 0, 100))
    turns = Counter(each.job.tenant for each in (made.pop() for _ in range(40)) if each)
    assert turns == {"shop": 20, "flood": 20}


def test_a_tenant_that_comes_back_claims_nothing_for_the_past() -> None:
    made = queue(shop=200)
    for _ in range(100):
        made.pop()
    made.add(Task("speak", job(7, "late"), 1, 0, 100))
    turns = Counter(each.job.tenant for each in (made.pop() for _ in range(20)) if each)
    assert abs(turns["late"] - turns["shop"]) <= 2


def test_what_comes_again_is_next_of_its_job() -> None:
    made = queue(shop=3)
    first = made.pop()
    assert first
    made.add(first, again=True)
    assert made.pop() == first


def test_a_removed_job_leaves_nothing() -> None:
    made = queue(shop=3, other=1)
    made.remove(job(0, "shop"))
    made.remove(job(5, "nobody"))
    assert [each.job.tenant for each in drained(made)] == ["other"]
