"""What the page gives away: its request as a command line and as a program, and a link to itself."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.server.conftest import Server
from tests.integration.webui.browser import Browser

KEY = "s3cret"
LEXICON = "行长: hang2 zhang3\nR&D=: 研发"
TEXT = '他说："It\'s $HOME"，\\n 不是换行。\n第二行😀`id`。'


def shared(browser: Browser, kind: str) -> str:
    """What the page offers to copy."""
    if not browser.shown("#copy"):
        browser.find("#share > summary").click()
        browser.wait(lambda: browser.text("#share-text"), "nothing is offered to copy")
    browser.find(f"#share [data-kind={kind}]").click()
    return browser.text("#share-text")


def has_text(browser: Browser, text: str) -> bool:
    return bool(browser.find("#text").get_property("value") == text)


def fill_in(browser: Browser) -> None:
    browser.write(TEXT)
    browser.choose("#emotion", "happy")
    browser.driver.execute_script(
        "const speed = document.querySelector('#speed'); speed.value = 12;"
        "speed.dispatchEvent(new Event('input', { bubbles: true }))"
    )


@pytest.mark.parametrize("kind", ["curl", "python"])
def test_what_is_copied_runs_and_gives_the_same_speech(
    browser: Browser, server: Server, tmp_path: Path, kind: str
) -> None:
    fill_in(browser)
    written = shared(browser, kind)
    command = ["bash", "-c", written] if kind == "curl" else [sys.executable, "-c", written]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    expected = server.speak(TEXT, emotion="happy", speed=1.5).content
    assert (tmp_path / "speech.wav").read_bytes() == expected


def test_a_key_is_named_and_not_given_away(browser: Browser) -> None:
    browser.driver.execute_script("sessionStorage.setItem('tts-api-key', arguments[0])", KEY)
    browser.driver.refresh()
    written = {kind: shared(browser, kind) for kind in ("curl", "python", "link")}
    assert not any(KEY in each for each in written.values())
    assert '-H "Authorization: Bearer $TTS_API_KEY"' in written["curl"]
    assert 'api_key=os.environ["TTS_API_KEY"]' in written["python"]
    compile(written["python"], "speech.py", "exec")


def test_a_link_fills_in_the_form_and_speaks_nothing(browser: Browser) -> None:
    fill_in(browser)
    browser.choose("#format", "mp3")
    browser.driver.execute_script("document.querySelector('#lexicon').value = arguments[0]", LEXICON)
    link = shared(browser, "link")
    browser.driver.get("about:blank")
    browser.driver.get(link)
    assert [browser.find(f"#{each}").get_property("value") for each in ("text", "lexicon")] == [TEXT, LEXICON]
    assert [browser.find(f"#{each}").get_property("value") for each in ("emotion", "format")] == ["happy", "mp3"]
    assert browser.text("#speed-shown") == "1.5×"
    assert not browser.shown("#problem")
    browser.collect()
    assert not any("audio/speech" in each or "#" in each for each in browser.requests)


def test_what_a_link_asks_for_in_vain_is_told(browser: Browser, server: Server) -> None:
    browser.driver.get(f"{server.url}/#voice=nobody&speed=9&text=%E5%A5%BD")
    browser.wait(lambda: browser.shown("#problem"), "nothing is said")
    assert browser.text("#problem-text").startswith("The link asks for what this server does not offer: nobody, 9.")
    assert browser.find("#text").get_property("value") == "好"


def test_it_is_copied(browser: Browser) -> None:
    browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    for old_way in (False, True):
        written = shared(browser, "link" if old_way else "curl")
        if old_way:  # as over plain HTTP
            browser.driver.execute_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        browser.find("#copy").click()
        browser.wait(lambda: browser.text("#copied") == "Copied.", "it is not copied")
        browser.write("")
        browser.js("document.querySelector('#text').focus()")
        ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
        browser.wait(partial(has_text, browser, written), "it is not pasted")


def test_the_appearance_is_the_systems_until_it_is_chosen(browser: Browser) -> None:
    def dark() -> bool:
        return str(browser.find("body").value_of_css_property("background-color")).startswith("rgba(16,")

    assert not dark()
    browser.choose("#theme", "dark")
    assert dark()
    browser.driver.refresh()
    assert dark()
    browser.choose("#theme", "")
    assert not dark()
    browser.prefer(dark=True)
    assert dark()
