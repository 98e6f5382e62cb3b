"""What a real server says: SSML, lexicons, and a lexicon that changes while it runs."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from .conftest import Server, wait_until
from .test_fastspeech2 import pitch


def samples(response: requests.Response) -> "np.ndarray[Any, np.dtype[np.int16]]":
    assert response.status_code == 200, response.text
    with wave.open(io.BytesIO(response.content)) as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def pinyin(server: Server, text: str, **more: Any) -> list[str]:
    response = requests.post(server.url + "/v1/audio/phonemes", json={"input": text, **more}, timeout=20)
    assert response.status_code == 200, response.text
    return [
        syllable["pinyin"]
        for sentence in response.json()["sentences"]
        for clause in sentence["clauses"]
        for syllable in clause["syllables"]
    ]


def test_a_reading_changes_the_sound_to_that_of_its_homophone(server: Server) -> None:
    as_written = samples(server.speak("他行。"))
    hang = samples(server.speak("他行。", lexicon={"行": "hang2"}))
    assert not np.array_equal(as_written, hang)
    assert np.array_equal(hang, samples(server.speak("他航。")))
    ssml = '<speak>他<phoneme alphabet="pinyin" ph="hang2">行</phoneme>。</speak>'
    assert np.array_equal(hang, samples(server.speak(ssml)))


def test_a_break_is_silence_of_its_length(server: Server) -> None:
    rate = 24_000
    parts = [samples(server.speak(text)) for text in ("您好", "再见")]
    whole = samples(server.speak('<speak><break time="250ms"/>您好<break time="1.5s"/>再见<break time="1s"/></speak>'))
    silences = [np.zeros(round(seconds * rate), np.int16) for seconds in (0.25, 1.5, 1.0)]
    assert np.array_equal(whole, np.concatenate([silences[0], parts[0], silences[1], parts[1], silences[2]]))


def test_prosody_is_that_of_the_request(server: Server) -> None:
    slow = samples(server.speak("您好，世界", speed=0.5))
    assert np.array_equal(slow, samples(server.speak('<speak><prosody rate="50%">您好，世界</prosody></speak>')))


def test_pitch_and_volume_change_within_a_text(server: Server) -> None:
    """The same words four times, between silences of 1 s: each time as the markup says."""
    words, rate = "今天天气不错，我们去公园散步", 24_000
    changes = ['pitch="+40%"', 'pitch="-4st"', 'volume="-6dB"', 'pitch="high" volume="+3dB"']
    marked = "".join(f'<break time="1s"/><prosody {change}>{words}</prosody>' for change in changes)
    text = f"<speak>{words}{marked}</speak>"
    response = requests.post(server.url + "/v1/audio/timestamps", json={"input": text}, timeout=60)
    heard, segments = samples(server.speak(text)) / 32_768, response.json()["segments"]
    assert len(segments) == len(changes) + 1
    # A voice rings on after its last word.
    spoken = [heard[round(each["start"] * rate) : round((each["end"] + 0.1) * rate)] for each in segments]
    hertz, level = ([measure(each) for each in spoken] for measure in (lambda part: pitch(part, rate), rms))
    assert [each / hertz[0] for each in hertz[1:]] == pytest.approx([1.4, 2 ** (-4 / 12), 1, 1.14], rel=0.05)
    assert level[3] / level[0] == pytest.approx(10 ** (-6 / 20), rel=0.02)
    assert level[4] / level[0] == pytest.approx(10 ** (3 / 20), rel=0.2)  # a higher voice is not quite as loud
    assert [each["end"] - each["start"] for each in segments] == pytest.approx(
        [segments[0]["end"] - segments[0]["start"]] * len(segments), abs=0.02
    )


def test_prosody_is_that_of_the_fields(server: Server) -> None:
    marked = '<speak><prosody pitch="+40%" volume="-20%">您好，世界</prosody></speak>'
    assert np.array_equal(samples(server.speak(marked)), samples(server.speak("您好，世界", pitch=1.4, volume=0.8)))


def rms(sound: "np.ndarray[Any, Any]") -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_every_element_at_once(server: Server) -> None:
    document = """<speak version="1.1" xml:lang="zh-CN">
      <p>
        <s>您好，这里是<sub alias="招商银行">招行</sub>。</s>
        <s><voice name="baker">请<emphasis>不要</emphasis>挂机。</voice></s>
      </p>
      <prosody rate="fast" pitch="+5%" volume="loud">共<say-as interpret-as="cardinal">1026</say-as>元</prosody>
      <break strength="strong"/><phoneme alphabet="pinyin" ph="chong2 xin1">重新</phoneme>开始
    </speak>"""
    assert "chong2" in pinyin(server, document)
    assert len(samples(server.speak(document))) > 4 * 24_000


def test_an_error_has_its_position(server: Server) -> None:
    response = server.post({"input": "<speak>您好\n<audio/></speak>"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_ssml", "input")
    assert error["message"].startswith("SSML, line 2, column 1: <audio> is not supported.")


def test_a_service_lexicon_changes_without_a_restart(start: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "lexicon.yaml"

    def write(text: str) -> None:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").rename(path)

    write("行: hang2\n")
    server = start(TTS_LEXICON=str(path), TTS_THREADS="1")
    assert pinyin(server, "他行") == ["ta1", "hang2"]
    first = server.speak("他行")
    assert server.speak("他行").headers["X-Cache"] == "hit"

    write("行: heng2\n")
    wait_until(lambda: pinyin(server, "他行") == ["ta1", "heng2"])
    second = server.speak("他行")
    assert second.headers["X-Cache"] == "miss"
    assert first.content != second.content
    assert second.content == server.speak("他恒").content

    write("行: heng2\n行: hang2\n")
    wait_until(lambda: "tts_lexicon_last_reload_successful 0.0" in server.get("/metrics").text)
    assert pinyin(server, "他行") == ["ta1", "heng2"]
    wait_until(lambda: any("Line 2: " in line for line in server.log))
    assert pinyin(server, "他行", lexicon={"行": "xing4"}) == ["ta1", "xing4"]


def test_a_lexicon_is_checked_before_it_is_used(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("行长: hang2 zhang3\nSaaS: 萨斯\n")
    done = server.run("lexicon", str(path))
    assert (done.returncode, done.stdout) == (0, f"{path}: 2 entries\n"), done.stderr
    path.write_text("行长: hang2 zhong9\n")
    done = server.run("lexicon", str(path))
    assert done.returncode == 1
    assert "'行长': 'zhong9' is not a syllable of pinyin" in done.stderr
    assert server.run("lexicon", str(tmp_path / "none")).returncode == 1
