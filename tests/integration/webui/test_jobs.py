"""The page of long texts: a file, its progress, its audio, with and without an API key."""

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import alert_is_present

from tests.integration.server.conftest import Server, running, wait_until, wait_until_ready
from tests.integration.webui.axe import findings
from tests.integration.webui.browser import WAIT_SECONDS, Browser

BOOK = "第一章 山\n山高水长，路远马亡。\n第二章 水\n今天的天气很好，我们去公园散步吧！\n"
LONG = "".join(f"第{number}句，山高水长，路远马亡，今天的天气很好，我们去公园散步吧！\n" for number in range(1, 200))
KEY = "s3cret"
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
PACKAGE = """<?xml version="1.0"?>
<package version="3.0" xmlns="http://www.idpf.org/2007/opf" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:uuid:1</dc:identifier>
    <dc:title>山水 &amp; 云</dc:title>
    <dc:language>zh</dc:language>
  </metadata>
  <manifest>
    <item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>
    <item id="water" href="text/water.xhtml" media-type="application/xhtml+xml"/>
    <item id="hill" href="text/%E5%B1%B1.xhtml" media-type="application/xhtml+xml"/>
    <item id="cover" href="cover.png" media-type="image/png"/>
  </manifest>
  <spine><itemref idref="nav"/><itemref idref="hill"/><itemref idref="water"/></spine>
</package>"""
HILL = """<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<head><title>Not read</title></head>
<body><h1>第一章<br/>山</h1>
<!-- <p>Not read</p> -->
<p>山高<ruby>水<rt>shuǐ</rt></ruby>长&#xff0c;<b>路远</b>马亡。<a epub:type="noteref" href="#1">1</a></p>
</body></html>"""
WATER = '<html xmlns="http://www.w3.org/1999/xhtml"><body><h2>第二章</h2><p>今天的天气很好&hellip;</p></body></html>'
SPOKEN = "# 第一章 山\n山高水长，路远马亡。\n\n## 第二章\n今天的天气很好…"
ENCRYPTION = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"
  xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>
  <enc:CipherReference URI="OEBPS/text/water.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>"""

# The page learns nothing when it looks at the jobs again, so it offers to cancel one that has ended.
BLIND = """
const answered = window.fetch;
window.fetch = (address, options) => address.includes("?limit=") ? new Promise(() => {}) : answered(address, options);
"""

# Answers to the page's looks at the jobs come when the test lets them.
LATE = """
const answered = window.fetch;
window.late = [];
window.fetch = async (address, options) => {
  const answer = await answered(address, options);
  if (!address.includes("?limit=")) return answer;
  const page = await answer.json();
  return new Promise((resolve) => window.late.push(() => resolve({ ok: true, json: async () => page })));
};
"""


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
def page(visitor: Browser, jobs: Server, key: str) -> Browser:
    """The page, after the visitor has given a key where the server asks for one."""
    browser = visitor
    browser.open(f"{jobs.url}/jobs")
    if key:
        browser.wait(lambda: browser.js("document.querySelector('#key').open"), "no key is asked for")
        browser.find("#key-value").send_keys(key)
        browser.find("#key-form button[value=use]").click()
    there = len(newest(jobs, key))
    browser.wait(lambda: len(browser.all("#jobs li")) == there, "the jobs are not listed")
    return browser


@pytest.fixture
def own_hosts(jobs: Server) -> tuple[str, ...]:
    """The page of this server asks no other one."""
    return (jobs.url,)


def epub(**more: str) -> bytes:
    """A book with two chapters. ``more`` replaces and adds files in META-INF."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, content in {"container": CONTAINER, **more}.items():
            archive.writestr(f"META-INF/{name}.xml", content)
        archive.writestr("OEBPS/book.opf", PACKAGE)
        archive.writestr("OEBPS/nav.xhtml", "<html><body><p>Not read</p></body></html>")
        archive.writestr("OEBPS/text/water.xhtml", WATER)
        archive.writestr("OEBPS/text/山.xhtml", HILL)
        archive.writestr("OEBPS/cover.png", bytes(1000))
    return made.getvalue()


def drop(page: Browser, data: bytes, name: str) -> None:
    """Drop a file somewhere on the page."""
    page.driver.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (each) => each.charCodeAt(0));"
        "const dataTransfer = new DataTransfer(); dataTransfer.items.add(new File([bytes], arguments[1]));"
        "document.querySelector('h1').dispatchEvent("
        "new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))",
        base64.b64encode(data).decode(),
        name,
    )
    page.wait(lambda: page.text("#file-about") or page.shown("#problem"), "the file is not read")


def newest(server: Server, key: str) -> list[dict[str, object]]:
    """The jobs that the page lists, the newest first."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    found = requests.get(f"{server.url}/v1/audio/jobs", headers=headers, timeout=10).json()["data"]
    assert isinstance(found, list)
    return found


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
    """Press a button of the newest job, once it is offered: what the page shows may be a moment old."""

    def offered() -> list[WebElement]:
        buttons = page.all("#jobs li:first-child button")
        return [each for each in buttons if each.is_displayed() and each.text == words]

    [found] = page.wait(offered, f"{words} is not offered")
    found.click()


def ready(page: Browser) -> None:
    page.wait(lambda: "Ready" in page.text("#jobs li:first-child"), "it does not end")


@pytest.mark.parametrize("name", ["mp3", "m4b"])
def test_a_book_is_read_and_heard(page: Browser, tmp_path: Path, name: str) -> None:
    choose(page, tmp_path, BOOK)
    assert page.find("#name").get_property("value") == "山水"
    page.choose("#format", name)
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
    page.wait((page.downloads / f"山水.{name}").exists, "it is not saved")
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


def test_an_answer_that_comes_late_brings_no_job_back(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, LONG)
    submit(page)
    page.driver.execute_script(LATE)
    for _ in range(2):
        page.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(lambda: page.js("window.late.length >= 2"), "the page does not look at the jobs")
    button(page, "Cancel")
    page.wait(lambda: "Cancelled" in page.text("#jobs li:first-child"), "it goes on")
    let_one_come(page)
    assert "Cancelled" in page.text("#jobs li:first-child")
    rows = len(page.all("#jobs li"))
    button(page, "Remove")
    page.wait(lambda: len(page.all("#jobs li")) == rows - 1, "it is still there")
    let_one_come(page)
    assert len(page.all("#jobs li")) == rows - 1


def let_one_come(page: Browser) -> None:
    """Let a late answer come, and return when the page has taken it."""
    page.driver.execute_async_script("const told = arguments[0]; window.late.shift()(); setTimeout(told);")


def test_a_job_that_has_just_ended_keeps_its_audio(page: Browser, jobs: Server, key: str, tmp_path: Path) -> None:
    page.driver.execute_script(BLIND)
    choose(page, tmp_path, BOOK)
    submit(page)
    wait_until(lambda: newest(jobs, key)[0]["status"] == "completed", WAIT_SECONDS)
    button(page, "Cancel")
    ready(page)
    assert page.text("#progress") == "It had just ended, so it was not cancelled."
    assert not page.shown("#problem")
    assert newest(jobs, key)[0]["status"] == "completed"


def test_audio_is_removed_only_by_those_who_are_sure(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK)
    submit(page)
    ready(page)
    rows = len(page.all("#jobs li"))
    for answer in ("dismiss", "accept"):
        assert len(page.all("#jobs li")) == rows
        button(page, "Remove")
        page.wait(lambda: alert_is_present()(page.driver), "nobody is asked")
        getattr(page.driver.switch_to.alert, answer)()
    page.wait(lambda: len(page.all("#jobs li")) == rows - 1, "it is still there")


def test_a_book_in_epub_is_dropped(page: Browser, jobs: Server, key: str) -> None:
    drop(page, epub(), "download.epub")
    assert page.text("#file-about") == f"{len(SPOKEN)} characters."
    assert page.find("#name").get_property("value") == "山水 & 云"
    submit(page)
    ready(page)
    found = newest(jobs, key)[0]
    assert (found["title"], found["characters"]) == ("山水 & 云", len(SPOKEN))
    chapters = found["chapters"]
    assert isinstance(chapters, list)
    assert [each["title"] for each in chapters] == ["第一章 山", "第二章"]


@pytest.mark.parametrize(
    "book, words",
    [
        (epub(encryption=ENCRYPTION), "protected against copying"),
        (epub(container="<container/>"), "is damaged"),
        (epub().replace(b"OEBPS/text/water.xhtml", b"OEBPS/text/other.xhtml"), "is damaged"),
        (epub()[:-30], "neither a text file nor an EPUB book"),
    ],
    ids=["protected", "no root", "a document is missing", "cut off"],
)
def test_a_book_that_cannot_be_read_is_told(page: Browser, book: bytes, words: str) -> None:
    drop(page, book, "book.epub")
    assert words in page.text("#problem-text")


def test_a_book_in_gbk_is_converted(page: Browser, tmp_path: Path) -> None:
    choose(page, tmp_path, BOOK, encoding="gbk")
    assert "converted from GB 18030" in page.text("#file-about")
    submit(page)
    ready(page)


@pytest.mark.parametrize(
    "text, words", [("PK\x03\x04\0", "neither a text file nor an EPUB book"), (" \n", "has no text")]
)
def test_what_is_no_text_is_told(page: Browser, tmp_path: Path, text: str, words: str) -> None:
    choose(page, tmp_path, text)
    assert words in page.text("#problem-text")
    page.find("#submit").click()
    assert "Choose a file first" in page.text("#problem-text")


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
    assert findings(page) == []
    button(page, "Play")
    page.wait(lambda: page.shown("#player"), "it is not played")
    assert findings(page) == []
