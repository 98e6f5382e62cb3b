import pytest

from tts_server.keys import Keys


@pytest.mark.parametrize(
    "keys, probe, given, taken",
    [
        ((), "", "", True),
        ((), "uid", "", True),  # without keys everybody may speak, and one more must not change that
        (("a", "b"), "", "b", True),
        (("a", "b"), "", "c", False),
        (("a",), "", "", False),
        (("a",), "uid", "uid", True),
        (("a",), "uid", "a", True),
        (("a",), "uid", "", False),
    ],
)
def test_keys(keys: tuple[str, ...], probe: str, given: str, taken: bool) -> None:
    assert Keys(keys, probe=probe).accept(given) is taken
