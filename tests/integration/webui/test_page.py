"""Speak, hear, keep, and what is said when that does not work."""

import io
import wave
from pathlib import Path

import pytest

from tests.integration.webui.browser import Browser

SENTENCE = "您好，欢迎使用语音合成服务。"
LONG = SENTENCE * 6
"""Is heard for longer than a busy machine takes to look."""
LIMIT = 600


def speak(browser: Browser, text: str = SENTENCE) -> None:
    """Speak a text by the button and wait until all of it is there."""
    before = len(browser.all("#history li"))
    browser.write(text)
    browser.find("#speak").click()
    browser.wait(lambda: len(browser.all("#history li")) == before + 1, "no speech")


def download(browser: Browser, selector: str) -> Path:
    """Save a file by a link and return it."""
    link = browser.find(selector)
    path = browser.downloads / str(link.get_attribute("download"))
    path.unlink(missing_ok=True)
    link.click()
    browser.wait(path.exists, "no download")
    return path


def wav_seconds(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as opened:
        samples = opened.readframes(opened.getnframes())
        assert len(samples) == 2 * opened.getnframes()
        assert any(samples)
        return float(opened.getnframes() / opened.getframerate())


def test_speech_is_heard_and_the_place_in_it_is_shown(browser: Browser) -> None:
    speak(browser, LONG)
    browser.wait(lambda: browser.text("#now") > "0:00.3", "it is not heard")
    assert browser.find("#play").accessible_name == "Pause"
    assert browser.text("#said") == LONG
    assert browser.text("#whole") > "0:01.0"
    assert "seconds of speech" in browser.text("#progress")
    assert "cache: " in browser.text("#facts")
    browser.find("#play").click()
    browser.wait(lambda: browser.find("#play").accessible_name == "Play", "it goes on")


def test_speech_is_heard_again_from_the_history(browser: Browser) -> None:
    speak(browser, LONG)
    speak(browser, "第二句。")
    assert [browser.text(f"#history li:nth-child({at}) .said") for at in (1, 2)] == ["第二句。", LONG]
    browser.find("#history li:nth-child(2) button").click()
    browser.wait(lambda: browser.js("document.querySelector('audio').currentTime") > 0.2, "it is not heard")
    assert browser.js("document.querySelector('audio').duration") > 1
    assert browser.text("#said") == LONG
    browser.find("#stop").click()
    browser.wait(lambda: not browser.shown("#stop"), "it goes on")


def test_the_waveform_is_drawn_and_can_be_sought_in(browser: Browser) -> None:
    speak(browser)
    browser.hush()
    pixels = "document.querySelector('canvas').getContext('2d').getImageData(0, 0, 300, 80).data.buffer"
    assert browser.js(f"new Set(new Uint32Array({pixels})).size") > 1
    browser.driver.execute_script(
        "const seek = document.querySelector('#seek'); seek.value = 1; seek.dispatchEvent(new Event('input'))"
    )
    browser.wait(lambda: browser.text("#now") == "0:01.0", "the place has not changed")
    assert str(browser.find("#seek").get_attribute("aria-valuetext")).startswith("1.0 of ")


def test_settings_are_used_and_come_back_from_the_history(browser: Browser) -> None:
    speak(browser)
    browser.driver.execute_script(
        "const speed = document.querySelector('#speed'); speed.value = 12; speed.dispatchEvent(new Event('input'))"
    )
    assert browser.text("#speed-shown") == "1.5×"
    speak(browser)
    about = [browser.text(f"#history li:nth-child({at}) .quiet") for at in (1, 2)]
    fast, normal = (float(each.split(" · ")[-1].removesuffix(" s")) for each in about)
    assert fast < normal * 0.8
    browser.find("#history li:nth-child(2) .more button").click()
    assert browser.text("#speed-shown") == "1×"
    assert browser.driver.switch_to.active_element == browser.find("#text")


@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_what_is_saved_is_whole(browser: Browser, name: str) -> None:
    browser.choose("#format", name)
    speak(browser)
    path = download(browser, "#download")
    assert path.suffix == f".{name}"
    if name == "wav":
        assert wav_seconds(path.read_bytes()) > 1
    else:
        assert path.stat().st_size > 2 * 24_000
    assert download(browser, "#history a").read_bytes() == path.read_bytes()


def test_every_offered_format_is_heard_and_saved(browser: Browser) -> None:
    offered = [str(each.get_attribute("value")) for each in browser.all("#format > option")]
    for name in offered:
        browser.choose("#format", name)
        speak(browser, LONG)
        browser.wait(lambda: browser.text("#now") > "0:00.1", f"{name} is not heard")
        assert browser.text("#whole") > "0:01.0", name
        assert download(browser, "#download").stat().st_size > 2000, name
    assert len(browser.all("#history li")) == len(offered)
    assert not browser.shown("#problem")


def test_the_history_is_cleared(browser: Browser) -> None:
    speak(browser)
    browser.find("#clear").click()
    assert not browser.all("#history li")
    assert not browser.shown("#player")
    assert browser.shown("#history-empty")


def test_a_new_visitor_finds_no_history(browser: Browser) -> None:
    assert not browser.all("#history li")


def test_characters_are_counted_as_the_server_does(browser: Browser) -> None:
    browser.write("好😀\n")
    assert browser.text("#used") == "3"
    browser.write("好" * LIMIT)
    assert browser.find("#text").get_attribute("aria-invalid") == "false"
    browser.write("好" * (LIMIT + 1))
    assert browser.text("#over") == "1 characters too many."
    assert browser.find("#text").get_attribute("aria-invalid") == "true"
    browser.find("#speak").click()
    assert f"{LIMIT + 1} characters; the limit is {LIMIT}" in browser.text("#problem-text")
    assert browser.driver.switch_to.active_element == browser.find("#text")
    browser.write("好")
    assert browser.text("#over") == "The text fits again."


def test_an_empty_text_is_not_sent(browser: Browser) -> None:
    browser.write(" \n")
    browser.find("#speak").click()
    assert browser.text("#problem-text") == "Type a text first."
    browser.collect()
    assert not any("audio/speech" in each for each in browser.requests)


def test_the_servers_own_words_are_shown(browser: Browser) -> None:
    browser.driver.execute_script("document.querySelector('#voice > option').value = 'nobody'")
    browser.find("#speak").click()
    browser.wait(lambda: "nobody" in browser.text("#problem-text"), "no error")
    assert not browser.shown("#retry")
    browser.find("#language").click()
    assert browser.text("#problem-text").startswith("服务器没有这个声音")


def test_text_is_never_markup(browser: Browser) -> None:
    speak(browser, "<img src=x onerror=alert(1)><b>你好</b>")
    assert browser.text("#history .said") == "<img src=x onerror=alert(1)><b>你好</b>"
    assert not browser.all("main img, main b")


def test_a_server_out_of_reach_can_be_asked_again(browser: Browser) -> None:
    browser.write(SENTENCE)
    browser.network(offline=True)
    browser.find("#speak").click()
    browser.wait(lambda: browser.shown("#retry"), "no offer to try again")
    assert browser.text("#problem-text").startswith("The server cannot be reached.")
    browser.network()
    browser.find("#retry").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")
    assert not browser.shown("#problem")
