import io

import pytest

from bench.cluster.expectations import Expectations
from bench.cluster.namespace import BenchError
from devcluster.progress import Progress


async def test_it_is_complete_when_the_last_is_there() -> None:
    expectations = Expectations({"a": 2, "b": 1})
    for name in ("a", "other", "b", "b"):
        expectations.observe(name)
    assert not expectations.complete
    expectations.observe("a")
    assert expectations.complete
    assert await expectations.wait("all", Progress(io.StringIO()), timeout_seconds=0) == expectations.last


async def test_it_says_what_is_missing() -> None:
    expectations = Expectations({"a": 1, "b": 1})
    expectations.observe("b")
    with pytest.raises(BenchError, match="1 of 2; missing, among others: a"):
        await expectations.wait("all", Progress(io.StringIO()), timeout_seconds=0)
