import io

import pytest

from bench.cluster.expected import Muster
from bench.cluster.namespace import BenchError
from devcluster.progress import Progress


async def test_it_is_complete_when_the_last_is_there() -> None:
    muster = Muster({"a": 2, "b": 1})
    for name in ("a", "other", "b", "b"):
        muster.tick(name)
    assert not muster.complete
    muster.tick("a")
    assert muster.complete
    assert await muster.wait("all", Progress(io.StringIO()), patience=0) == muster.last


async def test_it_says_what_is_missing() -> None:
    muster = Muster({"a": 1, "b": 1})
    muster.tick("b")
    with pytest.raises(BenchError, match="1 of 2, missing such as a"):
        await muster.wait("all", Progress(io.StringIO()), patience=0)
