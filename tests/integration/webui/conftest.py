"""The page of a real server in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.host import debian
from devcluster.progress import Progress
from tests.integration.server.conftest import Server, running, wait_until_ready
from tests.integration.webui.browser import REQUIREMENTS, Browser, chromium


@pytest.fixture(scope="session")
def server(cache: Path) -> Iterator[Server]:
    """A server with room for all that the tests ask."""
    with running(cache, TTS_THREADS="1", TTS_QUEUE_SECONDS="60", TTS_MAX_INPUT_CHARACTERS="600") as made:
        wait_until_ready(made)
        yield made


@pytest.fixture(scope="session")
def chromium_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    debian.ensure(REQUIREMENTS, Progress())
    with chromium(tmp_path_factory.mktemp("downloads")) as made:
        yield made


@pytest.fixture
def own_hosts(server: Server) -> tuple[str, ...]:
    """The only servers that a page may ask."""
    return (server.url,)


@pytest.fixture
def visitor(chromium_browser: Browser, own_hosts: tuple[str, ...]) -> Iterator[Browser]:
    """Who has not opened the page yet. Afterwards: nothing wrong was logged, and no other host was asked."""
    browser = chromium_browser
    yield browser
    browser.collect()
    # Chromium logs every answer that is no success; the page shows those.
    wrong = [each for each in browser.messages if "Failed to load resource" not in each]
    assert wrong == []
    own = (*(begin for each in own_hosts for begin in (f"{each}/", f"blob:{each}")), "data:")  # Chromium's own pictures
    assert [each for each in browser.requests if not each.startswith(own)] == []


@pytest.fixture
def browser(visitor: Browser, server: Server) -> Browser:
    """The page, as a new visitor sees it."""
    visitor.open(server.url)
    return visitor
