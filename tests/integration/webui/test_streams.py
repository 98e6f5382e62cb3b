"""Speech that is heard while it comes."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.webui.browser import Browser

SENTENCE = "今天天气很好，我们一起去公园散步。"
SLOW = 300_000
"""Bytes a second: six times as fast as the voice."""

# The test may take the sound away as a device does when its user is called.
KNOWN_CONTEXT = """
window.AudioContext = class extends AudioContext {
  constructor(...settings) {
    super(...settings);
    window.sounding = this;
  }
};
"""


def begin(browser: Browser, name: str, sentences: int = 15) -> None:
    """Speak a long text until it is heard, which is long before it is complete."""
    browser.choose("#format", name)
    browser.write(f"{name}：{SENTENCE * sentences}")
    browser.network(bytes_per_second=SLOW)
    browser.find("#speak").click()
    browser.wait(lambda: browser.text("#now") > "0:00.0", "it is not heard")
    assert not browser.all("#history li")
    assert browser.text("#progress") == "Making speech…"


@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_speech_is_heard_before_it_is_complete_and_can_be_stopped(browser: Browser, name: str) -> None:
    begin(browser, name, sentences=34)
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    browser.wait(lambda: browser.text("#progress") == "Stopped.", "it goes on")
    assert not browser.all("#history li")
    assert not browser.shown("#player")
    assert not browser.shown("#problem")


def test_a_stream_can_be_paused(browser: Browser) -> None:
    begin(browser, "wav")
    browser.find("#play").click()
    browser.wait(lambda: browser.find("#play").accessible_name == "Play", "it goes on")
    browser.network()
    browser.wait(lambda: browser.all("#history li"), "it is never complete")
    paused = browser.text("#now")
    assert browser.text("#whole") > "0:30"
    browser.find("#play").click()
    browser.wait(lambda: browser.text("#now") > paused, "it does not go on")


def test_the_page_notices_when_the_device_takes_the_sound_and_gives_it_back(browser: Browser) -> None:
    browser.driver.execute_script(KNOWN_CONTEXT)
    begin(browser, "wav")
    browser.driver.execute_script("window.sounding.suspend()")
    browser.wait(lambda: browser.find("#play").accessible_name == "Play", "it seems to go on")
    browser.driver.execute_script("window.sounding.resume()")
    browser.wait(lambda: browser.find("#play").accessible_name == "Pause", "it seems to be silent")
    browser.hush()


def test_a_place_that_has_not_been_heard_can_be_sought(browser: Browser) -> None:
    begin(browser, "wav")
    browser.network()
    browser.wait(lambda: browser.all("#history li"), "it is never complete")
    browser.driver.execute_script(
        "const seek = document.querySelector('#seek'); seek.value = 30; seek.dispatchEvent(new Event('input'))"
    )
    browser.wait(lambda: browser.text("#now") > "0:30.2", "it is not heard from there")
    browser.find("#stop").click()


def test_a_browser_without_media_source_plays_what_is_complete(browser: Browser) -> None:
    browser.driver.execute_script("delete window.MediaSource")
    browser.choose("#format", "mp3")
    browser.write("您好，欢迎使用语音合成服务。" * 6)
    browser.find("#speak").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")
    browser.wait(lambda: browser.text("#now") > "0:00.2", "it is not heard")
