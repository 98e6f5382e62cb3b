"""The words of a text: lit while they sound, and how to have them said otherwise."""

import json
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.integration.webui.browser import Browser
from tts_server.webui import VERSION

TEXT = "今天8:30开会。"
PLACE = f"""
const [text, sentences, done] = arguments;
import("./static/{VERSION}/placing.js").then(({{ place }}) => {{
  let at = 0;
  const found = [];
  for (const sentence of sentences) {{
    const parts = place(text, at, sentence.map((word, index) => ({{ word, start: index, end: index + 1 }})));
    found.push(...parts.map(({{ from, to, said }}) => [text.slice(from, to), said]));
    at = parts.at(-1)?.to ?? at;
  }}
  done(found);
}}, (error) => done(String(error)));
"""
WATCH = """
window.lit = [];
new MutationObserver(() => {
  const word = document.querySelector('#said .lit')?.textContent;
  if (word && word !== window.lit.at(-1)) window.lit.push(word);
}).observe(document.querySelector('#said'), { subtree: true, attributes: true });
"""
# So that each word sounds for longer than a busy machine shows the same picture.
SLOWLY = "const speed = document.querySelector('#speed'); speed.value = 0; speed.dispatchEvent(new Event('input'))"


def spoken(browser: Browser, text: str) -> None:
    browser.write(text)
    browser.find("#speak").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")


def parts(browser: Browser) -> list[tuple[str, str]]:
    """The words that are lit, each with what is said in its place."""
    found = browser.js("[...document.querySelectorAll('#said span')].map((each) => [each.textContent, each.title])")
    return [(written, said) for written, said in found]


@pytest.mark.parametrize("name", ["wav", "mp3"])
def test_words_are_lit_while_they_sound(browser: Browser, name: str) -> None:
    browser.choose("#format", name)
    browser.driver.execute_script(SLOWLY)
    browser.driver.execute_script(WATCH)
    spoken(browser, TEXT)
    assert browser.text("#said") == TEXT
    assert parts(browser) == [("今天", ""), ("8:30", "八点三十分"), ("开会", "")]
    browser.wait(lambda: browser.js("window.lit.length"), "no word is lit")  # the device may begin late
    browser.wait(lambda: not browser.shown("#stop"), "it does not end")
    assert browser.js("window.lit") == ["今天", "8:30", "开会"]
    assert not browser.all("#said .lit")


def test_a_word_leads_to_its_place(browser: Browser) -> None:
    spoken(browser, TEXT)
    browser.hush()
    browser.find("#said span:nth-of-type(3)").click()
    browser.wait(lambda: browser.text("#now") > "0:00.9", "the place has not changed")
    browser.wait(lambda: browser.text("#said .lit") == "开会", "it is not lit")


def test_of_ssml_what_is_spoken_is_shown(browser: Browser) -> None:
    browser.write("<speak>你好，<break time='300ms'/>这里是<sub alias='招商银行'>招行</sub>。</speak>")
    assert browser.text("#used") == "9"
    browser.find("#speak").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")
    assert browser.text("#said").replace(" ", "") == "你好这里是招商银行"
    assert "招商银行" in "".join(written for written, _ in parts(browser))


def test_flac_is_saved_whole_and_lights_no_words(browser: Browser) -> None:
    browser.choose("#format", "flac")
    spoken(browser, TEXT)
    assert browser.text("#said") == TEXT
    assert parts(browser) == []


@pytest.mark.parametrize(
    "text, sentences, expected",
    [
        ("你好，世界。", ["你好 世界"], [("你好", "你好"), ("世界", "世界")]),
        (
            "8:30八点开会。",
            ["八点三十分 八点 开会"],
            [("8:30", "八点三十分"), ("八点", "八点"), ("开会", "开会")],
        ),
        ("气温12℃。气温呢？", ["气温 十二 摄氏度", "气温 呢"], ["气温", ("12℃", "十二摄氏度"), "气温", "呢"]),
        (
            "“12℃”。2026年，气温",
            ["十二 摄氏度", "二零二六年 气温"],
            [("12℃", "十二摄氏度"), ("2026年", "二零二六年"), "气温"],
        ),
        ("销量12,345件，好", ["销量 一万二千三百四十五 件 好"], ["销量", ("12,345", "一万二千三百四十五"), "件", "好"]),
        ("銀行在這裏", ["银行 在 这里"], [("銀行", "银行"), "在", ("這裏", "这里")]),
        ("API和api", ["API 和 API"], [("API", "API"), "和", ("api", "API")]),
        ("😀好😀", ["好"], ["好"]),
        ("哈哈，哈", ["哈 哈 哈"], ["哈", "哈", "哈"]),
        ("Привет. 你好", ["你好"], ["你好"]),
        ("——", ["杠"], []),
    ],
)
def test_words_are_found_in_the_text(browser: Browser, text: str, sentences: list[str], expected: list[Any]) -> None:
    found = browser.driver.execute_async_script(PLACE, text, [sentence.split() for sentence in sentences])
    assert found == [list(each) if isinstance(each, tuple) else [each, each] for each in expected]


def test_a_lexicon_is_used(browser: Browser) -> None:
    browser.find("#pronunciation > summary").click()
    browser.find("#lexicon").send_keys('# products\nSaaS: 萨斯\n"C#"：西夏普\n')
    spoken(browser, "SaaS和C#。")
    assert [each for each in parts(browser) if each[1]] == [("SaaS", "萨斯"), ("C#", "西夏普")]
    browser.find("#share > summary").click()
    written = browser.wait(lambda: browser.text("#share-text"), "nothing is offered to copy")
    shown = written.partition("-d '")[2].removesuffix("'")
    assert json.loads(shown)["lexicon"] == {"SaaS": "萨斯", "C#": "西夏普"}


def test_a_line_that_is_no_entry_is_told(browser: Browser) -> None:
    browser.driver.execute_script("document.querySelector('#lexicon').value = '行长: hang2 zhang3\\n银行'")
    browser.find("#speak").click()
    assert browser.text("#problem-text").startswith("Line 2 of the lexicon")
    assert browser.driver.switch_to.active_element == browser.find("#lexicon")


def test_what_is_wrong_with_ssml_is_told_in_chinese_with_its_place(browser: Browser) -> None:
    browser.find("#language").click()
    browser.write("<speak>你好<audio/></speak>")
    browser.find("#speak").click()
    browser.wait(lambda: browser.shown("#problem"), "no error")
    assert browser.text("#problem-text").startswith("SSML 有误：SSML, line 1, column 10: <audio> is not supported.")


def test_ssml_is_written_by_buttons(browser: Browser) -> None:
    browser.write("A&B，请重新输入。")
    browser.find("#pronunciation > summary").click()
    browser.js("document.querySelector('#text').setSelectionRange(5, 7)")
    browser.find("[data-ssml=phoneme]").click()
    written = '<speak>A&amp;B，请<phoneme alphabet="pinyin" ph="chong2 xin1">重新</phoneme>输入。</speak>'
    assert browser.find("#text").get_property("value") == written
    assert browser.js("getSelection().toString()") == "chong2 xin1"
    browser.js("document.querySelector('#text').setSelectionRange(0, 0)")
    browser.find("[data-ssml=break]").click()
    assert browser.find("#text").get_property("value") == written.replace("<speak>", '<speak><break time="500ms"/>')
    for _ in range(2):
        ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    before = "A&B，请重新输入。"
    browser.wait(lambda: browser.find("#text").get_property("value") == before, "it is not undone")


def test_every_button_writes_what_the_server_speaks(browser: Browser) -> None:
    browser.write("")
    browser.find("#pronunciation > summary").click()
    for button in browser.all("[data-ssml]"):
        button.click()
        browser.js("document.querySelector('#text').setSelectionRange(1000, 1000)")
    browser.find("#speak").click()
    browser.wait(lambda: browser.all("#history li"), "no speech")


def test_samples_are_heard_and_chosen(browser: Browser) -> None:
    browser.find("#samples > summary").click()
    browser.find("#samples [data-emotion=sad]").click()
    browser.wait(lambda: "seconds of speech" in browser.text("#progress"), "no speech")
    assert browser.find("#emotion").get_property("value") == "sad"
    browser.wait(lambda: browser.text("#now") > "0:00.1", "it is not heard")
    assert not browser.all("#history li")
    browser.hush()
    browser.find("#samples [data-emotion=sad]").click()
    browser.wait(lambda: browser.text("#now") > "0:00.1", "it is not heard again")
    browser.collect()
    assert sum("audio/speech" in each for each in browser.requests) == 1
