"""The times of words on their way through shared requests and caches."""

import threading
from typing import TYPE_CHECKING, cast

import gevent
import pytest

from tests.unit.server.aligning import AligningFakeEngine
from tests.unit.server.conftest import FakeEngine
from tts_server.audio.encoding import FORMATS, at_rate
from tts_server.cache.memory import AudioCache
from tts_server.lexicon import read_lexicon
from tts_server.observability.metrics import Metrics
from tts_server.synthesis.service import NoTimestampsError, SpeechResult, SpeechService, Utterance

if TYPE_CHECKING:
    from tts_server.cache.redis import RedisCache

pytestmark = pytest.mark.timeout(30)

TEXT = "你好。你们好"
# Of 100 samples each; 400 samples of silence between the sentences.
STARTS = {"你": 0, "好": 100, "们": 700}


class FakeRedis:
    """What servers share, without a network. Reading takes a turn of the event loop, as it does over a network."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}

    def get(self, key: str, _rate: int) -> bytes | None:
        gevent.sleep(0)
        return self.entries.get(key)

    def put(self, key: str, data: bytes, _rate: int) -> None:
        self.entries[key] = data


@pytest.fixture
def engine() -> AligningFakeEngine:
    return AligningFakeEngine()


def service(engine: FakeEngine, redis: FakeRedis | None = None) -> SpeechService:
    made = SpeechService(
        engine,
        threads=1,
        queue_seconds=10,
        cache=AudioCache(1 << 20),
        metrics=Metrics(),
        redis_cache=cast("RedisCache | None", redis),
    )
    made.load()
    return made


def say(
    server: SpeechService, *, timed: bool = True, target: str = "pcm", fresh: bool = False, text: str = TEXT
) -> SpeechResult:
    return server.speak(
        Utterance(text), output_format=FORMATS[target], timeout=20, whole=True, timed=timed, fresh=fresh
    )


def starts(result: SpeechResult) -> list[tuple[str, int]]:
    """Each word and its first sample."""
    return [(word.text, each.start + word.start) for each in result.timing for word in each.alignment.words]


EXPECTED = [("你", 0), ("好", 100), ("你", 600), ("们", 700), ("好", 800)]


@pytest.mark.parametrize("target", ["pcm", "mp3", "flac"])
def test_times_count_from_the_first_sample_and_include_pauses(engine: AligningFakeEngine, target: str) -> None:
    server = service(engine)
    for status in ("miss", "hit"):
        result = say(server, target=target)
        assert (result.cache_status, starts(result)) == (status, EXPECTED)
    assert starts(say(server, target=target, fresh=True)) == EXPECTED
    assert len(engine.said) == 4


def test_audio_that_was_cached_without_times_is_made_again_when_somebody_asks(engine: AligningFakeEngine) -> None:
    server = service(engine)
    plain = say(server, timed=False)
    timed = say(server)
    assert (plain.cache_status, timed.cache_status) == ("miss", "miss")
    assert plain.data == timed.data
    assert starts(timed) == EXPECTED
    assert [say(server, timed=each).cache_status for each in (True, False)] == ["hit", "hit"]


def test_times_fit_the_audio_of_every_rate(engine: AligningFakeEngine) -> None:
    """They are in samples of the engine, and are kept once for all formats."""
    server = service(engine)
    statuses = []
    for name, rate, size in [("pcm", 16_000, 3600), ("pcm_alaw", None, 900), ("wav", 48_000, 10_800)] * 2:
        result = server.speak(
            Utterance(TEXT), output_format=at_rate(FORMATS[name], rate), timeout=20, whole=True, timed=True
        )
        assert (len(result.data or b""), starts(result)) == (size, EXPECTED)
        statuses.append(result.cache_status)
    assert statuses == ["miss"] + ["hit"] * 5
    assert len(engine.said) == 2


def test_a_lexicon_that_changes_leaves_no_rate_behind(engine: AligningFakeEngine) -> None:
    server = service(engine)
    wanted = at_rate(FORMATS["pcm"], 16_000)

    def say_timed() -> SpeechResult:
        return server.speak(Utterance(TEXT), output_format=wanted, timeout=20, whole=True, timed=True)

    before = say_timed()
    server.lexicon = read_lexicon({"们": "众人"}, origin="service_lexicon", syllables=(), max_entries=10)
    assert server.cached(before.cache_key) is None
    after = say_timed()
    assert (before.cache_status, after.cache_status) == ("miss", "miss")
    assert len(after.data or b"") > len(before.data or b"")
    assert "众" in {word for word, _ in starts(after)}
    assert say_timed().cache_status == "hit"


def test_audio_without_times_takes_no_more_memory(engine: AligningFakeEngine) -> None:
    aligning, other = service(engine), service(FakeEngine())
    for server in (aligning, other):
        say(server, timed=False, text="你好")
    assert aligning._cache.bytes == other._cache.bytes
    say(aligning, text="你好")
    assert aligning._cache.bytes > other._cache.bytes


def test_one_who_wants_times_joins_one_who_does_not(engine: AligningFakeEngine) -> None:
    server, opened = service(engine), threading.Event()
    engine.on_speak = lambda: None if opened.wait(20) else pytest.fail("not opened")
    plain, timed = gevent.spawn(say, server, timed=False), gevent.spawn(say, server)
    gevent.idle()
    opened.set()
    assert plain.get(timeout=20).cache_status == "miss"
    assert (timed.get(timeout=20).cache_status, starts(timed.get())) == ("coalesced", EXPECTED)
    assert say(server).cache_status == "hit"
    assert len(engine.said) == 2


def test_a_stream_says_when_a_sentence_sounds_before_it_does(engine: AligningFakeEngine) -> None:
    server = service(engine)
    result = server.speak(Utterance(TEXT), output_format=FORMATS["pcm"], timeout=20, timed=True)
    assert result.chunks is not None
    samples = 0
    for chunk in result.chunks:
        begun = [each.start for each in result.timing]
        assert [start for start in (0, 600) if start <= samples] == begun[: 2 if samples >= 600 else 1]
        samples += len(chunk) // 2
    assert starts(result) == EXPECTED


def test_servers_share_times(engine: AligningFakeEngine) -> None:
    redis = FakeRedis()
    say(service(engine, redis))
    assert len(redis.entries) == 2
    heard = say(service(engine, redis))
    assert (heard.cache_status, starts(heard)) == ("hit", EXPECTED)
    assert len(engine.said) == 2


def test_what_redis_holds_without_times_or_with_those_of_another_audio_is_made_again(
    engine: AligningFakeEngine,
) -> None:
    redis = FakeRedis()
    say(service(engine, redis), timed=False)
    [key] = redis.entries
    assert say(service(engine, redis), timed=False).cache_status == "hit"
    again = say(service(engine, redis))
    assert (again.cache_status, starts(again)) == ("miss", EXPECTED)
    [timing] = set(redis.entries) - {key}
    for wrong in (b"", b"[1]", redis.entries[timing].replace(b"[900", b"[901")):
        redis.entries[timing] = wrong
        assert say(service(engine, redis), timed=False).cache_status == "hit"
        assert (say(service(engine, redis)).cache_status, len(redis.entries)) == ("miss", 2)
        assert starts(say(service(engine, redis))) == EXPECTED


def test_one_who_wants_times_joins_one_who_still_asks_redis(engine: AligningFakeEngine) -> None:
    redis = FakeRedis()
    say(service(engine, redis))
    server = service(engine, redis)
    plain, timed = gevent.spawn(say, server, timed=False), gevent.spawn(say, server)
    gevent.joinall([plain, timed], timeout=20)
    assert [plain.get().cache_status, timed.get().cache_status] == ["hit", "coalesced"]
    assert starts(timed.get()) == EXPECTED


def test_one_who_wants_times_does_not_join_an_encoding_of_audio_without_them(engine: AligningFakeEngine) -> None:
    server = service(engine)
    say(server, timed=False)
    plain = gevent.spawn(say, server, timed=False, target="mp3")
    timed = gevent.spawn(say, server, target="mp3")
    gevent.joinall([plain, timed], timeout=20)
    assert [plain.get().cache_status, timed.get().cache_status] == ["hit", "miss"]
    assert starts(timed.get()) == EXPECTED
    assert plain.get().data == timed.get().data


def test_an_engine_that_does_not_know_says_so() -> None:
    engine = FakeEngine()
    server = service(engine)
    with pytest.raises(NoTimestampsError, match="'fake' does not know when words sound"):
        say(server)
    assert say(server, timed=False).timing == []
    assert engine.said == ["你好", "你们好"]
