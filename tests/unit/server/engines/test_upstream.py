"""The upstream's speech, and all that can be wrong with it."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devcluster.backends import local
from tests.unit.server.engines.scripted_upstream import (
    CLOSE,
    HANG,
    RATE,
    Answer,
    Asked,
    ScriptedUpstream,
    chunks,
    http,
    impatient,
    settings_for,
    sound,
    wav,
)
from tts_server.audio.pcm import Pcm
from tts_server.engines import (
    BackedEngine,
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    Delivery,
    EngineError,
    Sentence,
)
from tts_server.engines.upstream.engine import Upstream
from tts_server.settings.upstream import UpstreamVoice

TEXT = "今天天气很好我们去公园"
SYLLABLES = len(TEXT)
TONE = sound(SYLLABLES)
WHOLE = wav(TONE)
PCM = TONE.astype("<i2").tobytes()
HALF = len(WHOLE) // 2


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    made = ScriptedUpstream()
    yield made
    made.stop()


@pytest.fixture
def engine(upstream: ScriptedUpstream) -> Upstream:
    return Upstream(settings_for(upstream.url))


def say(engine: Upstream, session: Any = None, **how: Any) -> Pcm:
    sentence = Sentence(TEXT, SYLLABLES, 0.0, Delivery("xiaoyan", **how))
    return np.concatenate(list((session or engine.open_session()).synthesise(sentence)))


def always(pieces: Callable[[], Answer]) -> Callable[[Asked], Answer]:
    return lambda _: pieces()


@pytest.mark.parametrize(
    "answer",
    [
        lambda: [http(WHOLE)],
        lambda: [http(WHOLE[:100], length=len(WHOLE)), WHOLE[100:]],
        lambda: chunks(WHOLE),
        lambda: chunks(wav(TONE, known=False), size=7_777),
        lambda: [http(WHOLE, "application/octet-stream")],
        lambda: [b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n", WHOLE, CLOSE],
    ],
)
def test_all_ways_to_send_wav(upstream: ScriptedUpstream, engine: Upstream, answer: Callable[[], Answer]) -> None:
    upstream.speak = always(answer)
    assert np.array_equal(say(engine), TONE)


def test_pcm_has_the_rate_of_its_type_or_its_header_or_the_configured_one(upstream: ScriptedUpstream) -> None:
    engine = Upstream(settings_for(upstream.url, response_format="pcm"))
    upstream.speak = always(lambda: chunks(PCM, "audio/pcm"))
    assert np.array_equal(say(engine), TONE)
    for answer in (http(PCM, "audio/pcm; rate=48000"), http(PCM, "audio/pcm", more="X-Sample-Rate: 48000\r\n")):
        upstream.speak = always(partial(list, [answer]))
        assert len(say(engine)) == len(TONE) // 2
    assert {each.fields["response_format"] for each in upstream.spoken} == {"pcm"}


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_other_rates_are_converted(upstream: ScriptedUpstream, engine: Upstream, rate: int) -> None:
    upstream.speak = always(lambda: chunks(wav(sound(SYLLABLES, rate), rate)))
    samples = say(engine)
    assert len(samples) == len(TONE)
    middle = slice(RATE // 2, RATE)
    assert np.corrcoef(samples[middle], TONE[middle])[0, 1] > 0.999


def test_audio_is_passed_on_as_it_comes(
    upstream: ScriptedUpstream, engine: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.speak = always(lambda: [*list(chunks(WHOLE))[:4], HANG])
    sentence = Sentence(TEXT, SYLLABLES, 0.0, Delivery("xiaoyan"))
    stream = engine.open_session().synthesise(sentence)
    assert len(next(stream)) > 1000
    much_later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: much_later)
    with pytest.raises(BackendError, match="in time"):
        list(stream)


def test_speed_and_pitch_are_made_here(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = always(lambda: [http(WHOLE)])
    assert len(say(engine, speed=2.0)) == len(TONE) // 2
    assert len(say(engine, pitch=1.5)) == pytest.approx(len(TONE), abs=2)
    takes_it = Upstream(settings_for(upstream.url, takes_speed="yes"))
    assert len(say(takes_it, speed=1.25)) == len(TONE)
    assert upstream.spoken[-1].fields["speed"] == 1.25


FAULTS: dict[str, tuple[Callable[[], Answer], str]] = {
    "cut before the length": (lambda: [http(WHOLE[:HALF], length=len(WHOLE)), CLOSE], "not complete"),
    "cut before the last chunk": (lambda: [*chunks(wav(TONE, known=False)[:HALF], end=False), CLOSE], "not complete"),
    "cut within the head": (lambda: [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE], "not complete|broke off"),
    "cut as the header tells": (lambda: chunks(WHOLE[:HALF]), "lacks"),
    "without an end": (
        lambda: [b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n", wav(TONE, known=False), CLOSE],
        "does not say where it ends",
    ),
    "never begins": (lambda: [HANG], "in time"),
    "a head, and then nothing": (lambda: [http(b"", length=len(WHOLE)), HANG], "in time"),
    "half, and then nothing": (lambda: [http(WHOLE[:HALF], length=len(WHOLE)), HANG], "in time"),
    "HTML": (lambda: [http(b"<html><b>Bad</b>\nday.</html>", "text/html")], r"'text/html' instead of audio\.$"),
    "JSON": (lambda: [http(b'{"detail": "no"}', "application/json")], r"'application/json' instead of audio\.$"),
    "HTML that is called audio": (lambda: [http(b"<html>" + b"x" * 9000)], "not WAV"),
    "nothing": (lambda: [http(b"")], "empty"),
    "an odd number of bytes": (lambda: chunks(wav(TONE, known=False)[:-1]), "within a sample"),
    "half silence": (lambda: [http(wav(np.where(np.arange(len(TONE)) < len(TONE) // 2, TONE, 0)))], "too short|silent"),
    "all silence": (lambda: [http(wav(np.zeros_like(TONE)))], "too short"),
    "a second of eleven syllables": (lambda: [http(wav(TONE[: RATE // 2]))], "too short"),
    "far too long": (lambda: chunks(wav(np.tile(TONE, 9), known=False), size=65_536), "came for 11 syllables"),
    "MP3": (lambda: [http(b"\xff\xfb\x90\x64" + bytes(9000), "audio/mpeg")], "MP3"),
    "no HTTP": (lambda: [b"220 mail.example.com ESMTP\r\n", CLOSE], "no HTTP"),
    "status 500": (lambda: [http(b'{"error": "CUDA"}', "application/json", "500 Oops")], r"status 500\.$"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_and_the_next_sentence_is_whole(
    upstream: ScriptedUpstream, engine: Upstream, fault: str
) -> None:
    answer, says = FAULTS[fault]
    session = engine.open_session()
    upstream.speak = always(answer)
    patience = impatient(session) if HANG in answer() else nullcontext()
    with patience, pytest.raises(BackendError, match=says) as raised:
        say(engine, session)
    assert "\n" not in str(raised.value)
    upstream.speak = always(lambda: [http(WHOLE)])
    assert np.array_equal(say(engine, session), TONE)


def test_a_slow_trickle_has_an_end(upstream: ScriptedUpstream) -> None:
    at_its_end = list[bool]()

    def trickle() -> Answer:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n"
        for _ in range(600):
            time.sleep(0.05)
            yield b"X-More: x\r\n"
        at_its_end.append(True)

    upstream.speak = always(trickle)
    engine = Upstream(settings_for(upstream.url, first_byte_seconds=0.4))
    with pytest.raises(BackendError, match="in time"):
        say(engine)
    assert not at_its_end


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable"])
def test_what_is_refused_is_not_asked_again(upstream: ScriptedUpstream, engine: Upstream, status: str) -> None:
    upstream.speak = always(lambda: [http(b'{"detail": "voice?"}', "application/json", status)])
    with pytest.raises(BackendRefusedError, match=rf"status {status[:3]}\.$"):
        say(engine)
    assert len(upstream.spoken) == 1


@pytest.mark.parametrize("first", [[http(b"", status="503 Busy")], [http(b"", status="502 Bad Gateway")], [CLOSE]])
def test_before_the_first_byte_it_is_asked_again(
    upstream: ScriptedUpstream, engine: Upstream, first: list[Any]
) -> None:
    upstream.speak = lambda _: first if len(upstream.spoken) <= 2 else [http(WHOLE)]
    assert np.array_equal(say(engine), TONE)
    assert len(upstream.spoken) == 3


def test_a_busy_upstream_says_when_to_come_back(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = always(lambda: [http(b"", status="429 Too Many", more="Retry-After: 7\r\n")])
    engine.backend.check()
    assert engine.backend.problem, "it has not spoken yet"
    upstream.speak = always(lambda: [http(WHOLE)])
    engine.backend.check()
    upstream.speak = always(lambda: [http(b"", status="503 Full", more="Retry-After: 7\r\n")])
    for _ in range(5):
        with pytest.raises(BackendBusyError) as raised:
            say(engine)
        assert raised.value.retry_after == 7
    engine.backend.check()
    assert not engine.backend.problem, "it is there"
    assert len(upstream.spoken) == 2 + 5


def test_after_the_first_byte_it_is_not_asked_again(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = always(lambda: [http(WHOLE[:HALF], length=len(WHOLE)), CLOSE])
    with pytest.raises(BackendError):
        say(engine)
    assert len(upstream.spoken) == 1


def test_a_connection_that_was_closed_while_idle_is_no_failure(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = always(lambda: [http(WHOLE), CLOSE])
    session = engine.open_session()
    for _ in range(5):
        assert np.array_equal(say(engine, session), TONE)
    assert len(upstream.spoken) == 5


def test_nobody_waits_for_an_upstream_that_has_stopped_answering(upstream: ScriptedUpstream) -> None:
    engine = Upstream(settings_for(upstream.url, first_byte_seconds=60.0))
    engine.backend.check()
    upstream.speak = always(lambda: [HANG])
    for _ in range(2):
        engine.backend.availability.missed("It is gone.", since=time.monotonic())
    begun = time.monotonic()
    with pytest.raises(BackendError, match="stopped answering") as raised:
        say(engine)
    assert raised.value.away
    assert time.monotonic() - begun < 30


def test_nobody_there() -> None:
    [port] = local.free_ports(1)
    engine = Upstream(settings_for(f"http://127.0.0.1:{port}/v1"))
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:\d+ cannot be reached: Connection refused") as raised:
        say(engine)
    assert raised.value.away


def test_the_key_comes_from_a_file_that_may_change(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    file = tmp_path / "key"
    engine = Upstream(settings_for(upstream.url, api_key_file=str(file)))
    with pytest.raises(BackendRefusedError, match="Cannot read TTS_UPSTREAM_API_KEY_FILE"):
        say(engine)
    for key in ("one", "two"):
        file.write_text(f"{key}\n")
        say(engine)
        assert upstream.asked[-1].headers["authorization"] == f"Bearer {key}"
    file.write_text("hush\r\nX-Evil: 1")
    with pytest.raises(BackendRefusedError, match="without white space") as raised:
        say(engine)
    assert "hush" not in str(raised.value)


def test_loading_speaks_with_every_voice(upstream: ScriptedUpstream) -> None:
    voices = (UpstreamVoice("one", "1"), UpstreamVoice("two", "2"), UpstreamVoice("jo", "3", "en"))
    engine = Upstream(settings_for(upstream.url, voices=voices), default_voice="two")
    assert engine.backend.problem
    engine.load()
    assert isinstance(engine, BackedEngine)
    assert not engine.backend.problem
    assert [each.fields["voice"] for each in upstream.spoken] == ["2", "1", "3"]
    assert upstream.spoken[-1].fields["input"].startswith("Hello")
    assert upstream.asked[0].path == "/health"


def test_a_voice_that_the_upstream_lacks_is_named(upstream: ScriptedUpstream) -> None:
    voices = (UpstreamVoice("one", "1"), UpstreamVoice("two", "2"))
    upstream.speak = lambda asked: [
        http(WHOLE) if asked.fields["voice"] == "1" else http(b"no such voice", "text/plain", "400 Bad")
    ]
    with pytest.raises(EngineError, match=r"its voice '2', which is 'two' in TTS_UPSTREAM_VOICES: .*no such voice"):
        Upstream(settings_for(upstream.url, voices=voices)).load()


def test_loading_waits_for_the_upstream(upstream: ScriptedUpstream, engine: Upstream) -> None:
    answers = iter([http(b"", status="503 Loading"), http(b"{}", "application/json")])
    upstream.ready = lambda _: [next(answers)]
    engine.load()
    assert not engine.backend.problem


def test_a_check_quotes_the_upstream_and_a_request_does_not(upstream: ScriptedUpstream, engine: Upstream) -> None:
    def refuse(asked: Asked) -> Answer:
        return [http(b'{"detail":\n "No voice for ' + asked.body + b'"}', "application/json", "422 No")]

    upstream.speak = refuse
    with pytest.raises(BackendRefusedError) as raised:
        say(engine)
    assert str(raised.value) == "The upstream answers with status 422."
    engine.backend.check()
    assert 'status 422: {"detail": "No voice for' in engine.backend.problem
    assert "\n" not in engine.backend.problem


def test_a_check_says_what_is_wrong(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.ready = always(lambda: [http(b"", status="404 Not Found")])
    engine.backend.check()
    assert "Set TTS_UPSTREAM_READY_PATH" in engine.backend.problem
    upstream.ready = always(lambda: [http(b"", status="503 Loading")])
    engine.backend.check()
    engine.backend.check()
    assert engine.backend.problem == "The upstream answers GET /health with status 503."
    upstream.ready = always(lambda: [HANG])
    with impatient(engine):
        engine.backend.check()
    assert "in time" in engine.backend.problem
    assert engine.backend.availability.silent
    upstream.ready = always(lambda: [http(b"{}", "application/json")])
    engine.backend.check()
    assert not engine.backend.problem


OUTCOMES: list[tuple[Callable[[], Answer], str]] = [
    (lambda: chunks(WHOLE), "success"),
    (lambda: [http(WHOLE[:HALF], length=len(WHOLE)), CLOSE], "failed"),
    (lambda: [HANG], "failed"),
    (lambda: [http(b"", status="500 Oops")], "failed"),
    (lambda: [http(b"<html>", "text/html")], "invalid_audio"),
    (lambda: [http(wav(np.zeros_like(TONE)))], "invalid_audio"),
    (lambda: [http(b"", status="429 Too Many")], "busy"),
    (lambda: [http(b"", status="422 No")], "refused"),
]


@pytest.mark.parametrize("answer,outcome", OUTCOMES)
def test_each_request_has_an_outcome(
    upstream: ScriptedUpstream, engine: Upstream, answer: Callable[[], Answer], outcome: str
) -> None:
    engine.backend.check()
    session = engine.open_session()
    upstream.speak = always(answer)
    patience = impatient(session) if HANG in answer() else nullcontext()
    with patience, nullcontext() if outcome == "success" else pytest.raises(EngineError):
        say(engine, session)
    [ended] = engine.backend.take_requests()
    assert (ended.outcome, ended.retries) == (outcome, 0)
    assert 0 <= ended.first_seconds <= ended.seconds < 60
    assert engine.backend.take_requests() == []


def test_requests_that_are_sent_again_and_that_are_under_way(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = lambda _: [http(b"", status="503 Busy")] if len(upstream.spoken) <= 2 else chunks(WHOLE)
    stream = engine.open_session().synthesise(Sentence(TEXT, SYLLABLES, 0.0, Delivery("xiaoyan")))
    assert engine.backend.in_flight == 0
    next(stream)
    assert engine.backend.in_flight == 1
    for _ in stream:
        pass
    assert engine.backend.in_flight == 0
    [ended] = engine.backend.take_requests()
    assert ended.retries == 2
    assert ended.first_seconds >= 0.5, "with the pauses between the attempts"


def test_a_request_that_nobody_wants_any_more_has_no_outcome(upstream: ScriptedUpstream, engine: Upstream) -> None:
    upstream.speak = always(lambda: chunks(WHOLE))
    stream = engine.open_session().synthesise(Sentence(TEXT, SYLLABLES, 0.0, Delivery("xiaoyan")))
    next(stream)
    del stream
    assert (engine.backend.in_flight, engine.backend.take_requests()) == (0, [])


def test_failures_that_no_text_causes_open_the_breaker(upstream: ScriptedUpstream, engine: Upstream) -> None:
    engine.backend.check()
    upstream.speak = always(lambda: [http(WHOLE[:HALF], length=len(WHOLE)), CLOSE])
    for _ in range(3):
        assert not engine.backend.problem
        with pytest.raises(BackendError):
            say(engine)
    assert "not complete" in engine.backend.problem
    upstream.speak = always(lambda: [http(wav(np.zeros_like(TONE)))])
    engine.backend.check()
    assert "too short" in engine.backend.problem
    upstream.speak = always(lambda: [http(WHOLE)])
    engine.backend.check()
    assert not engine.backend.problem
