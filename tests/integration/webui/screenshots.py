"""The documentation's pictures of the page: ``PYTHONPATH=.:operator python -m tests.integration.webui.screenshots``.

They need a font with Chinese characters, such as that of Debian's package ``fonts-noto-cjk``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster.host import debian
from devcluster.progress import Progress
from tests.integration.server.conftest import ROOT, running, wait_until_ready
from tests.integration.webui.browser import REQUIREMENTS, Browser, chromium

FOLDER = ROOT / "docs" / "images"
FONT = debian.Requirement("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "fonts-noto-cjk")
TEXTS = (
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "您的订单已发货，预计11月26日14:00前送达，运费¥12.50。",
    "您好，欢迎使用语音合成服务。今天是2026年11月24日，气温12℃，适合出门散步。",
)
HEARD_SHARE = 0.4
POEMS = {
    "静夜思": "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "春晓": "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
    "登鹳雀楼": "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
}
SHORT_BOOK, LONG_BOOK = "唐诗三首", "唐诗一百遍"


@dataclass(frozen=True)
class Picture:
    """One file and how the page is seen in it; sizes in CSS pixels."""

    name: str
    language: str
    width: int
    height: int
    dark: bool = False
    opened: str = ""
    """The details that are open."""


JOBS_PICTURE = Picture("webui-jobs", "zh-CN", 1120, 960)
PICTURES = (
    Picture("webui-light", "en-US", 1120, 1010),
    Picture("webui-dark", "zh-CN", 1120, 1430, dark=True, opened="#pronunciation"),
    Picture("webui-phone", "zh-CN", 360, 1640, opened="#share"),
)


def take(browser: Browser, url: str, picture: Picture) -> Path:
    """Speak three texts, go to the middle of the last one, and take the picture."""
    browser.open(url, language=picture.language, width=picture.width, height=picture.height, dark=picture.dark)
    if picture.opened:
        browser.find(f"{picture.opened} > summary").click()
    for text in TEXTS:
        browser.write(text)
        browser.find("#speak").click()
        browser.wait(lambda: browser.text("#progress").endswith((".", "。")), "no speech")
        browser.find("#stop").click()
    browser.driver.execute_script(
        "const seek = document.querySelector('#seek'); seek.value = seek.max * arguments[0];"
        "seek.dispatchEvent(new Event('input')); document.activeElement.blur()",
        HEARD_SHARE,
    )
    browser.wait(lambda: browser.all("#said .lit"), "no word is lit")
    path = FOLDER / f"{picture.name}.png"
    browser.driver.save_screenshot(str(path))
    return path


def submit(browser: Browser, books: Path, title: str, times: int) -> None:
    """Have the poems read so many times, as a book with this title."""
    book = books / f"{title}.md"
    book.write_text("".join(f"# {name}\n\n{poem}\n\n" for name, poem in POEMS.items()) * times, encoding="utf-8")
    browser.find("#file").send_keys(str(book))
    browser.wait(lambda: browser.find("#name").get_property("value") == title, "it is not read")
    browser.choose("#format", "m4b")
    browser.find("#submit").click()
    browser.wait(lambda: title in browser.text("#jobs li:first-child"), "it is not taken")


def take_jobs(browser: Browser, url: str, books: Path) -> Path:
    """Have a long book read, and a short one, which passes it; take the picture when that is played."""
    picture = JOBS_PICTURE
    browser.open(f"{url}/jobs", language=picture.language, width=picture.width, height=picture.height)
    submit(browser, books, LONG_BOOK, 100)
    submit(browser, books, SHORT_BOOK, 1)
    browser.wait(lambda: browser.shown("#jobs li:first-child button"), "the short one is not completed")
    browser.find("#jobs li:first-child button").click()
    browser.wait(lambda: browser.js("document.querySelector('#audio').currentTime > 1"), "it is not played")
    browser.driver.execute_script("document.querySelector('#audio').pause(); document.activeElement.blur()")
    browser.wait(lambda: "%" in browser.text("#jobs li:last-child"), "the long one is not begun")
    path = FOLDER / f"{picture.name}.png"
    browser.driver.save_screenshot(str(path))
    return path


def main() -> None:
    """Write all pictures."""
    debian.ensure([*REQUIREMENTS, FONT], Progress())
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), TTS_THREADS="2", TTS_QUEUE_SECONDS="60", TTS_JOBS_STORAGE=f"{folder}/jobs") as server,
        chromium(Path(folder)) as browser,
    ):
        wait_until_ready(server)
        for picture in PICTURES:
            print(take(browser, server.url, picture))  # noqa: T201 - a command says what it has written
        print(take_jobs(browser, server.url, Path(folder)))  # noqa: T201 - see above


if __name__ == "__main__":
    main()
