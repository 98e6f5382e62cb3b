"""Each tutorial, typed as it is written: every block does what the page says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.product import ROOT
from tests.docs.reader import Reader, assert_speech
from tests.docs.steps import Reading
from tests.docs.table import TUTORIALS

pytestmark = pytest.mark.timeout(1500, func_only=True)
SPOKEN = {
    "first-service": {
        "code.mp3": "您好，您的验证码是八三四五二一。",
        "happy.mp3": "太好了！",
        "turn.mp3": "前方三百米右转。",
    },
    "from-yaml": {"new.mp3": "您的订单已发货，预计十一月三十日送达。"},
    "https": {"hello.mp3": "您好，世界。"},
    "shared-cache": {"still.mp3": "没有缓存，照样能说。"},
    "long-texts": {"book.mp3": "第一回山路一个人在山路上慢慢地走。第二回回家天黑之前，他回到了家。"},
}
"""The files that a page saves, and what is said in them."""


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_tutorial_does_what_it_says(name: str, reader: Callable[[Reading], Reader]) -> None:
    reading = TUTORIALS[name]
    person = reader(reading)
    clone = person.shell.directory
    for _ in person.follow(ROOT / f"docs/tutorials/{name}.md", reading):
        pass
    for file, text in SPOKEN.get(name, {}).items():
        assert_speech(Path(clone, file), text)
