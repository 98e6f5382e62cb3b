"""The page of long texts: a file, its progress, its audio, with and without an API key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import Server, running, wait_until_ready
from tests.integration.webui.browser import Browser

BOOK = "第一章 山\n山高水长，路远马亡。\n第二章 水\n今天的天气很好，我们去公园散步吧！\n"
LONG = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！\n" for number in range(1, 200))
KEY = "s3cret"


@pytest.fixture(scope="module", params=["", KEY], ids=["open", "with a key"])
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def jobs(cache: Path, tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[Server]:
    settings = {"TTS_JOBS_STORAGE": str(tmp_path_factory.mktemp("jobs"))} | ({"TTS_API_KEYS": key} if key else {})
    with running(cache, TTS_THREADS="1", **settings) as made:
        wait_until_ready(made)
        yield made


@pytest.fixture
def page(chromium_browser: Browser, jobs: Server, key: str) -> Browser:
    """The page, after the visitor has given a key where the server asks for one."""
    browser = chromium_browser
    browser.open(f"{jobs.url}/jobs")
    if key:
        browser.wait(lambda: browser.js("document.querySelector('#key').open"), "no key is asked for")
        browser.find("#key-value").send_keys(key)
        browser.find("#key-form button[value=use]").click()
    return browser


def choose(page: Browser, folder: Path, text: str, *, encoding: str = "utf-8", name: str = "山水.txt") -> None:
    file = folder / name
    file.write_text(text, encoding=encoding)
    page.find("#file").send_keys(str(file))
    page.wait(lambda: page.text("#file-about") or page.shown("#problem"), "the file is not read")


def submit(page: Browser) -> None:
    before = len(page.all("#jobs li"))
    page.find("#submit").click()
    page.wait(lambda: len(page.all("#jobs li")) > before, "it is not listed")


def button(page: Browser, words: str) -> None:
    [found] = [each for each in page.all("#jobs li:first-child button") if each.is_displayed() and each.text == words]
    found.click()


def ready(page: Browser) -> None:
    page.wait(lambda: "Ready" in page.text("#jobs li:first-child"), "it does not end")


def test_a_book_is_read_and_heard(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK)
    assert page.find("#name").get_property("value") == "山水"
    page.choose("#subtitles", "srt")
    submit(page)
    ready(page)
    button(page, "Play")
    page.wait(lambda: page.js("document.querySelector('#audio').currentTime > 0.1"), "it is not heard")
    chapters = page.all("#player-chapters button")
    assert [each.text for each in chapters] == ["第一章 山", "第二章 水"]
    chapters[1].click()
    page.wait(lambda: page.js("document.querySelector('#audio').currentTime > 1"), "the chapter is not found")
    button(page, "Download")
    page.wait((page.downloads / "山水.mp3").exists, "it is not saved")
    button(page, "Download captions")
    page.wait((page.downloads / "山水.srt").exists, "they are not saved")
    for file in page.downloads.iterdir():
        file.unlink()


def test_a_job_is_cancelled_and_removed(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, LONG)
    submit(page)
    assert page.shown("#jobs li:first-child progress")
    button(page, "Cancel")
    page.wait(lambda: "Cancelled" in page.text("#jobs li:first-child"), "it goes on")
    rows = len(page.all("#jobs li"))
    button(page, "Remove")
    page.wait(lambda: len(page.all("#jobs li")) == rows - 1, "it is still there")


def test_a_book_in_gbk_is_converted(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK, encoding="gbk")
    assert "converted from GB 18030" in page.text("#file-about")
    submit(page)
    ready(page)


@pytest.mark.parametrize("text, words", [("PK\x03\x04\0", "not a text file"), (" \n", "has no text")])
def test_what_is_no_text_is_told(page: Browser, tmp_path: Path, text: str, words: str) -> None:
    choose(page, tmp_path, text)
    assert words in page.text("#problem-text")
    page.find("#submit").click()
    assert "Choose a text file first" in page.text("#problem-text")


def test_the_jobs_are_there_when_the_page_is_opened_again(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK)
    submit(page)
    page.driver.refresh()
    page.wait(lambda: page.all("#jobs li"), "they are gone")
    page.find("#language").click()
    assert page.text("h1") == "长文本"
    ready_in_chinese = "已完成"
    page.wait(lambda: ready_in_chinese in page.text("#jobs li:first-child"), "it does not end")


def test_each_control_has_a_name(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK)
    submit(page)
    ready(page)
    assert [role for role, name in page.controls() if not name] == []
