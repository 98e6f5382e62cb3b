"""A real Chromium, driven by ChromeDriver: what a person, a screen reader and the network see of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from devcluster.host.debian import Requirement

REQUIREMENTS = (Requirement("/usr/bin/chromium", "chromium"), Requirement("/usr/bin/chromedriver", "chromium-driver"))
FLAGS = (
    "--headless",
    "--no-sandbox",  # root in a container has no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_TEXT_ROLES = frozenset({"StaticText", "InlineTextBox", "LineBreak"})


class Browser:
    """One tab. ``messages`` and ``requests`` tell what happened since the page was opened."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads
        self.messages: list[str] = []
        self.requests: list[str] = []

    def open(
        self, url: str, *, language: str = "en-US", width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Show the page as a new visitor sees it."""
        self.network()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self.cdp("Storage.clearDataForOrigin", origin=origin, storageTypes="all")
        self.driver.get("about:blank")
        agent = self.driver.execute_script("return navigator.userAgent")
        self.cdp("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)
        self.size(width, height)
        self.prefer(dark=dark)
        self.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.collect()
        self.messages.clear()
        self.requests.clear()
        self.driver.get(url)

    def cdp(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def size(self, width: int, height: int, scale: float = 1) -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def prefer(self, *, dark: bool = False, calm: bool = False) -> None:
        """What the system says that its user prefers."""
        features = {"prefers-color-scheme": "dark" if dark else "light"}
        features["prefers-reduced-motion"] = "reduce" if calm else "no-preference"
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": key, "value": features[key]} for key in features])

    def network(self, *, offline: bool = False, bytes_per_second: int = -1) -> None:
        """Change what the network is like; without arguments: as it really is."""
        self.cdp("Network.enable")
        self.cdp(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=bytes_per_second,
            uploadThroughput=-1,
        )

    def collect(self) -> None:
        """Take what the browser has logged since the last look."""
        for entry in self._log("browser"):
            self.messages.append(f"{entry['level']} {entry['message']}")
        for entry in self._log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])

    def _log(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The words that are there, seen or only heard."""
        return str(self.find(selector).get_property("textContent")).strip()

    def shown(self, selector: str) -> bool:
        return self.find(selector).is_displayed()

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def write(self, text: str) -> None:
        """Put a text into the page's field, at once."""
        self.driver.execute_script(
            "const field = document.querySelector('#text'); field.value = arguments[0];"
            "field.dispatchEvent(new Event('input'))",
            text,
        )

    def choose(self, selector: str, value: str) -> None:
        self.find(f"{selector} > option[value='{value}']").click()

    def hush(self) -> None:
        """Be silent, whether what was spoken last is still heard or has ended."""
        ActionChains(self.driver).send_keys(Keys.ESCAPE).perform()
        self.wait(lambda: not self.shown("#stop"), "it goes on")

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until the condition holds; fail with ``what`` when it does not."""
        return WebDriverWait(self.driver, WAIT_SECONDS, _LOOK_SECONDS).until(lambda _: condition(), what)

    def controls(self) -> list[tuple[str, str]]:
        """Role and name of everything that can be focused, as assistive technology is told."""
        nodes = self.cdp("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "").strip())
            for node in nodes
            if not node["ignored"] and node["role"]["value"] not in {*_TEXT_ROLES, "RootWebArea"} and _focusable(node)
        ]


def _focusable(node: dict[str, Any]) -> bool:
    return any(each["name"] == "focusable" and each["value"]["value"] for each in node.get("properties", []))


@contextmanager
def chromium(downloads: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; end it afterwards."""
    options = ChromeOptions()
    options.binary_location = REQUIREMENTS[0].what
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(REQUIREMENTS[1].what))
    try:
        yield Browser(driver, downloads)
    finally:
        driver.quit()
