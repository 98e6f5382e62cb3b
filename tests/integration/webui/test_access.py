"""Keyboard, screen reader, small screens, dark and light, two languages, and the page's security policy."""

import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.server.conftest import Server
from tests.integration.webui.axe import findings
from tests.integration.webui.browser import Browser

AA = 4.5
TEXTS = "label, h1, h2, p, button, .button, select, textarea, code"


def press(browser: Browser, *keys: str) -> None:
    ActionChains(browser.driver).send_keys(*keys).perform()


def ctrl_enter(browser: Browser) -> None:
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()


def focused(browser: Browser) -> str:
    return str(browser.js("document.activeElement.id"))


def spoken(browser: Browser) -> None:
    browser.wait(lambda: browser.all("#history li"), "no speech")


def test_all_can_be_done_without_a_mouse(browser: Browser) -> None:
    browser.js("document.querySelector('#text').focus()")
    press(browser, "你好。")
    ctrl_enter(browser)
    spoken(browser)
    browser.wait(lambda: browser.shown("#stop"), "it is not heard")
    press(browser, Keys.ESCAPE)
    browser.wait(lambda: not browser.shown("#stop"), "it goes on")
    assert browser.text("#now") == "0:00.0"
    browser.js("document.querySelector('#play').focus()")
    press(browser, Keys.SPACE)
    browser.wait(lambda: browser.text("#now") > "0:00.1", "it is not heard")
    press(browser, Keys.SPACE, Keys.TAB)
    assert focused(browser) == "seek"
    press(browser, Keys.HOME)
    browser.wait(lambda: browser.text("#now") == "0:00.0", "Home does not go to the beginning")


def test_focus_goes_through_the_page_in_its_order(browser: Browser) -> None:
    browser.js("document.querySelector('#language').focus()")
    order = []
    for _ in range(6):
        order.append(focused(browser))
        press(browser, Keys.TAB)
    expected = ["language", "text", "voice", "emotion", "format", "speed", "speak"]
    assert order == [each for each in expected if browser.shown(f"#{each}")][:6]


def test_focus_is_not_lost_with_the_stop_button(browser: Browser) -> None:
    browser.find("#speak").click()
    spoken(browser)
    browser.js("document.querySelector('#stop').focus()")
    press(browser, Keys.ENTER)
    browser.wait(lambda: focused(browser) == "speak", "focus is lost")


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_every_control_has_a_name(visitor: Browser, server: Server, language: str) -> None:
    visitor.open(server.url, language=language)
    visitor.find("#speak").click()
    spoken(visitor)
    controls = visitor.controls()
    assert [role for role, name in controls if not name] == []
    roles = {role for role, _ in controls}
    assert {"textbox", "combobox", "slider", "button", "link"} <= roles
    if language == "zh-CN":
        names = [name for role, name in controls if role != "option" and name != "Switch to English"]
        assert [name for name in names if not re.search(r"[\u4e00-\u9fff]", name)] == []


@pytest.mark.parametrize("language, dark", [("en-US", False), ("zh-CN", True)])
def test_axe_finds_nothing(visitor: Browser, server: Server, language: str, dark: bool) -> None:
    visitor.open(server.url, language=language, dark=dark)
    assert findings(visitor) == []
    for summary in visitor.all("summary"):
        summary.click()
    visitor.find("#speak").click()
    spoken(visitor)
    visitor.write("好" * 601)
    visitor.hush()
    visitor.find("#speak").click()
    assert visitor.shown("#problem")
    assert findings(visitor) == []
    visitor.driver.execute_script("document.querySelector('#key').showModal()")
    assert findings(visitor) == []


def test_what_happens_is_announced(browser: Browser) -> None:
    for selector, role in (("#progress", "status"), ("#over", "status"), ("#problem-text", "alert")):
        assert browser.find(selector).get_attribute("role") == role


@pytest.mark.parametrize("dark", [False, True])
def test_words_can_be_read_in_light_and_dark(visitor: Browser, server: Server, dark: bool) -> None:
    visitor.open(server.url, dark=dark)
    visitor.find("#speak").click()
    spoken(visitor)
    visitor.write("好" * 601)
    visitor.hush()
    visitor.find("#speak").click()
    ratios = {each["what"]: each["ratio"] for each in visitor.driver.execute_script(CONTRAST, TEXTS)}
    assert len(ratios) > 12
    assert {what: ratio for what, ratio in ratios.items() if ratio < AA} == {}
    light = sum(map(int, re.findall(r"\d+", visitor.find("body").value_of_css_property("background-color"))[:3]))
    assert (light < 3 * 64) == dark


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_cut_off_at_any_width(visitor: Browser, server: Server, width: int) -> None:
    visitor.open(server.url, width=width, height=740)
    for summary in visitor.all("summary"):
        summary.click()
    visitor.find("#speak").click()
    spoken(visitor)
    visitor.write("长" * 590)
    assert visitor.js("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > innerWidth)"
    assert visitor.js(f"{wide}.map((each) => each.id || each.tagName)") == []
    small = [each.accessible_name for each in visitor.all("button, .button, select, .small") if _too_small(each.rect)]
    assert small == []


def _too_small(rect: dict[str, float]) -> bool:
    return rect["width"] > 0 and min(rect["width"], rect["height"]) < 44


def test_a_reader_who_wants_no_motion_gets_little(browser: Browser) -> None:
    browser.prefer(calm=True)
    browser.find("#speak").click()
    spoken(browser)
    browser.wait(lambda: browser.text("#now") > "0:00.3", "it is not heard")


@pytest.mark.parametrize(
    "language, title, other", [("en-GB", "Text to speech", "语音合成"), ("zh-TW", "语音合成", "Text to speech")]
)
def test_the_language_is_the_browsers_until_it_is_chosen(
    visitor: Browser, server: Server, language: str, title: str, other: str
) -> None:
    visitor.open(server.url, language=language)
    assert visitor.text("h1") == visitor.driver.title == title
    visitor.find("#language").click()
    assert visitor.text("h1") == visitor.driver.title == other
    visitor.driver.refresh()
    assert visitor.text("h1") == other
    assert visitor.js("document.documentElement.lang") == ("zh-CN" if other == "语音合成" else "en")


def test_inline_script_and_style_are_refused(chromium_browser: Browser, server: Server) -> None:
    browser = chromium_browser
    browser.open(server.url)
    browser.driver.execute_script(
        "try { document.body.innerHTML = '<img src=x onerror=window.ran=true>' } catch { }"
        "const made = document.createElement('p'); made.setAttribute('style', 'color: red');"
        "document.body.append(made)"
    )

    def is_told() -> bool:
        browser.collect()
        return any("Content Security Policy" in each for each in browser.messages)

    browser.wait(is_told, "nothing is refused")
    assert browser.js("window.ran") is None


# For each visible element with words of its own: the contrast of its colour against the nearest painted background.
CONTRAST = r"""
const light = (colour) => {
  const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (each) => {
  const colour = getComputedStyle(each).backgroundColor;
  return colour.endsWith(", 0)") ? background(each.parentElement) : colour;
};
return [...document.querySelectorAll(arguments[0])]
  .filter((each) => each.checkVisibility() && !each.closest("[hidden], .unseen"))
  .map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), light(background(each))].sort((x, y) => y - x);
    return { what: each.id || each.textContent.trim().slice(0, 30), ratio: (a + 0.05) / (b + 0.05) };
  });
"""
