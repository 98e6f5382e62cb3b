"""A server that asks for a key, and one that has too much to do."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.server.conftest import FAILING, ROOT, Server, running, wait_until_ready
from tests.integration.webui.browser import Browser

SENTENCE = "您好，欢迎使用语音合成服务。"
KEY = "a-key"
AUTHORISED = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def strict_server(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key and lets hardly anybody wait. Its engine waits at 等 for ever, see failing.py."""
    engine = {"PYTHONPATH": str(ROOT), "GATE": str(tmp_path_factory.mktemp("gate") / "never")}
    settings = {"TTS_THREADS": "1", "TTS_QUEUE_SECONDS": "0.1", "TTS_API_KEYS": KEY}
    with running(cache, program=FAILING, **engine, **settings) as made:
        wait_until_ready(made)
        yield made


@pytest.fixture
def browser(chromium_browser: Browser, strict_server: Server) -> Browser:
    chromium_browser.open(strict_server.url)
    chromium_browser.write(SENTENCE)
    return chromium_browser


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def test_a_key_is_asked_for_and_kept_for_the_tab(browser: Browser) -> None:
    browser.find("#speak").click()
    browser.wait(lambda: browser.shown("#key"), "no key is asked for")
    assert browser.js("document.activeElement.id") == "key-value"
    press(browser, "wrong", Keys.ENTER)
    browser.wait(lambda: browser.text("#key-title") == "The server refused this API key", "a wrong key is taken")
    press(browser, KEY, Keys.ENTER)
    browser.wait(lambda: browser.all("#history li"), "no speech")
    browser.driver.refresh()
    browser.find("#speak").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")
    assert not browser.js("Object.values(localStorage).join().includes('key')")


def test_who_has_no_key_is_told(browser: Browser) -> None:
    browser.find("#speak").click()
    browser.wait(lambda: browser.shown("#key"), "no key is asked for")
    press(browser, Keys.ESCAPE)
    browser.wait(lambda: "invalid API key" in browser.text("#problem-text"), "no error")
    assert not browser.shown("#retry")


def test_a_busy_server_says_when_to_come_back(browser: Browser, strict_server: Server) -> None:
    browser.driver.execute_script("sessionStorage.setItem('tts-api-key', arguments[0])", KEY)
    stop = threading.Event()

    def keep_busy() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            text = f"{number}号：" + "今天天气很好，我们一起去公园散步。" * 8
            strict_server.post({"input": text}, headers=AUTHORISED)

    worker = threading.Thread(target=keep_busy)
    worker.start()
    try:
        browser.wait(lambda: _speak_until_refused(browser), "the server is never busy")
    finally:
        stop.set()
        worker.join()
    assert "The server asks to wait" in browser.text("#problem-text")
    before = len(browser.all("#history li"))
    browser.wait(lambda: browser.find("#retry").get_attribute("aria-disabled") == "false", "the wait has no end")
    browser.find("#retry").click()
    browser.wait(lambda: len(browser.all("#history li")) > before, "no speech")
    assert not browser.shown("#problem")


def _speak_until_refused(browser: Browser) -> bool:
    if browser.shown("#problem"):
        return browser.shown("#retry")
    if browser.find("#speak").get_attribute("aria-disabled") == "false":
        # What has been spoken once comes from the cache, however busy the server is.
        browser.write(f"第{len(browser.all('#history li'))}次。{SENTENCE}")
        browser.find("#speak").click()
    return False


def test_a_connection_that_breaks_is_told_of(browser: Browser, strict_server: Server) -> None:
    """The last one: the server does not survive it."""
    browser.driver.execute_script("sessionStorage.setItem('tts-api-key', arguments[0])", KEY)
    browser.write("今天天气很好，我们一起去公园散步。等一等。")
    browser.find("#speak").click()
    browser.wait(lambda: browser.text("#now") > "0:00.0", "it is not heard")
    worker = Path(f"/proc/{strict_server.process.pid}/task/{strict_server.process.pid}/children").read_text()
    os.kill(int(worker), signal.SIGKILL)
    browser.wait(lambda: browser.shown("#retry"), "no offer to try again")
    assert browser.text("#problem-text").startswith("The connection broke before the speech was complete.")
    assert not browser.all("#history li")
    browser.find("#retry").click()
    browser.wait(lambda: "cannot be reached" in browser.text("#problem-text"), "no error")
