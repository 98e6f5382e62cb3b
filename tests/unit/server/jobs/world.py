"""Jobs on a storage in memory, with a voice that says each character as a few samples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from obstore.store import MemoryStore

from tts_server.api.jobs.views import event
from tts_server.engines import NothingToSayError
from tts_server.jobs.events import Event, Events
from tts_server.jobs.model import End, Job, JobName, Options
from tts_server.jobs.planning.chapters import title_finder
from tts_server.jobs.planning.plan import sound_of
from tts_server.jobs.planning.splitting import Segment, split
from tts_server.jobs.queue.local import LocalQueue
from tts_server.jobs.records import Records
from tts_server.jobs.recovery import recover
from tts_server.jobs.storage import Entry, ObjectStorage, Storage, Writer
from tts_server.jobs.submission import Submissions
from tts_server.jobs.threads import Threads
from tts_server.jobs.webhook import WebhookError
from tts_server.jobs.work.in_hand import InHand
from tts_server.jobs.work.segments import Spoken
from tts_server.jobs.work.steps import Steps
from tts_server.jobs.work.worker import Worker
from tts_server.observability.metrics import Metrics
from tts_server.timing.alignment import Alignment, Phoneme, TimedSentence, Word

RATE = 8000
SAMPLES = 100
OPTIONS = Options("one", response_format="wav", chapters="heading", subtitles="srt")
TEXT = (
    "第一章 山\n"
    + "".join(f"{chr(0x4E00 + number)}，山高水长，路远马亡。" for number in range(40))
    + "\n第二章 水\n"
    + "".join(f"{chr(0x5E00 + number)}，我们去公园散步吧！" for number in range(30))
)
_THREADS = Threads(2)


def pcm_of(text: str) -> bytes:
    """Each character has a level of its own, so the samples tell the text."""
    return np.repeat(np.array([ord(each) % 30_000 for each in text], "<i2"), SAMPLES).tobytes()


def expected(text: str = TEXT, mode: str = "heading") -> list[Segment]:
    return list(split([text], title_finder(mode)))  # type: ignore[arg-type]


def expected_pcm(text: str = TEXT) -> bytes:
    return b"".join(pcm_of(each.text) + bytes(2 * round(each.pause * RATE)) for each in expected(text))


@dataclass
class FakeSpeaker:
    revision: str = "1"
    said: list[str] = field(default_factory=list)
    on_speak: Callable[[str], None] = lambda _: None
    sample_rate: int = RATE

    def sound(self, options: Options) -> str:
        return sound_of("fake", self.revision, self.sample_rate, "", options)

    def speak(self, text: str, options: Options) -> Spoken:
        assert options.voice
        self.on_speak(text)
        self.said.append(text)
        if "✗" in text:
            raise NothingToSayError
        pcm = pcm_of(text)
        word = Word(text, 0, (Phoneme("a", 0, len(pcm) // 2),))
        return Spoken(pcm, (TimedSentence(0, Alignment(text, len(pcm) // 2, (word,))),))


class World:
    """One process after another, on the same storage."""

    def __init__(self, folder: Path, storage: Storage | None = None, speaker: FakeSpeaker | None = None) -> None:
        self.storage = storage or ObjectStorage(MemoryStore(), threads=2)
        self.speaker = speaker or FakeSpeaker()
        self.folder = folder
        self.told: list[tuple[str, Event]] = []
        self.patience = 0.0
        self.called: list[str] = []
        self.webhook_failures = 0
        self.webhook_pause = 0.0
        self.start()

    def start(self) -> None:
        """Begin with an empty memory, as a process does."""
        self.queue = LocalQueue()
        self.records = Records(self.storage)
        self.submissions = Submissions(self.storage, self.records, self.queue, model="fake", max_open=3)
        metrics = Metrics()
        steps = Steps(
            storage=self.storage,
            records=self.records,
            queue=self.queue,
            speaker=self.speaker,
            threads=_THREADS,
            in_hand=InHand(self.folder),
            events=Events(event, publish=lambda job, told: self.told.append((job.id, told)), call=self._call),
            metrics=metrics,
            patience=self.patience,
        )
        self.worker = Worker(self.queue, steps, metrics, segments=1)

    def _call(self, name: JobName, _url: str, _told: Event, _since: float) -> None:
        self.called.append(name.id)
        if self.called.count(name.id) <= self.webhook_failures:
            raise WebhookError("It is away.", self.webhook_pause)

    def restart(self) -> None:
        self.start()
        recover(self.storage, self.queue)

    def submit(
        self, text: str = TEXT, options: Options = OPTIONS, *, tenant: str = "shop", key: str = "", charge: Any = None
    ) -> Job:
        return self.submissions.submit(tenant, options, [text], key=key, charge=charge or (lambda _: None))[0]

    def run(self, steps: int = 10_000) -> None:
        """Do what waits, and what follows from it."""
        while self.queue.waiting and steps:
            self.worker._do(self.queue.take(("split", "finish", "join", "notify", "speak")))
            steps -= 1

    def end(self, job: Job) -> End:
        found = self.records.end(job.name)
        assert found
        return found

    def file(self, job: Job, name: str) -> bytes:
        return self.storage.read(f"jobs/{job.tenant}/{job.id}/{name}", limit=1 << 30)

    def audio(self, job: Job) -> bytes:
        audio = self.end(job).audio
        assert audio
        return self.file(job, audio.file)

    def names(self, job: JobName) -> set[str]:
        prefix = f"jobs/{job.tenant}/{job.id}/"
        return {each.name.removeprefix(prefix) for each in self.storage.walk(prefix)}


class CrashError(BaseException):
    """The process ends here. Nothing may catch it."""


class CrashingStorage:
    """Another storage, whose process dies before or after its n-th call that changes something."""

    def __init__(self, storage: Storage, *, at: int, after: bool) -> None:
        self._storage = storage
        self._left = at
        self._after = after
        self.crashed = False

    def _change(self, call: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._crash()
        result = call()
        if self._left == 0:
            self._crash()
        return result

    def _crash(self) -> None:
        self.crashed = True
        raise CrashError

    def create(self, name: str, data: bytes) -> bool:
        return bool(self._change(lambda: self._storage.create(name, data)))

    def write(self, name: str, data: bytes) -> None:
        self._change(lambda: self._storage.write(name, data))

    def writer(self, name: str, headers: Mapping[str, str] | None = None) -> Writer:
        return _CrashingWriter(self._storage.writer(name, headers), self._change)

    def read(self, name: str, *, limit: int) -> bytes:
        return self._storage.read(name, limit=limit)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        return self._storage.read_range(name, start, end)

    def size(self, name: str) -> int | None:
        return self._storage.size(name)

    def walk(self, prefix: str) -> Iterator[Entry]:
        return self._storage.walk(prefix)

    def folders(self, prefix: str) -> list[str]:
        return self._storage.folders(prefix)

    def delete(self, names: Iterable[str]) -> None:
        self._change(lambda: self._storage.delete(names))

    def link(self, name: str, seconds: int) -> str | None:
        return self._storage.link(name, seconds)


class _CrashingWriter:
    def __init__(self, writer: Writer, change: Callable[[Callable[[], Any]], Any]) -> None:
        self._writer = writer
        self._change = change

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._change(self._writer.close)
