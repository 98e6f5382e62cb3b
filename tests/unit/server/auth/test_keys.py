import pytest

from tts_server.apikeys import ApiKey, parse_api_keys
from tts_server.auth.keys import Keys


@pytest.mark.parametrize(
    "keys, probe, given, taken",
    [
        ((), "", "", True),
        ((), "uid", "", True),  # without keys everybody may speak, and one more must not change that
        (("a", "b"), "", "Bearer b", True),
        (("a", "b"), "", "bearer  b ", True),
        (("a", "b"), "", "Bearer c", False),
        (("a", "b"), "", "Basic b", False),
        (("a",), "", "", False),
        (("a",), "uid", "Bearer uid", True),
        (("a",), "uid", "Bearer a", True),
        (("a",), "uid", "Bearer ", False),
    ],
)
def test_keys(keys: tuple[str, ...], probe: str, given: str, taken: bool) -> None:
    assert Keys(parse_api_keys(" ".join(keys)), probe=probe).accept(given) is taken


@pytest.mark.parametrize("key", ["钥匙-ключ-é", "à", "Ѕ"])
def test_a_key_of_any_alphabet_arrives_as_latin_1(key: str) -> None:
    """The last byte of "à" and of "Ѕ" in UTF-8 is white space in Latin-1."""
    keys = Keys((ApiKey("other", "b"), ApiKey("shop", key)))
    sent = key.encode().decode("latin-1")
    found = keys.identify(f"Bearer {sent}")
    assert found is not None
    assert found.name == "shop"
    assert keys.identify(f"Bearer {sent[:-1]}") is None
    assert keys.identify("Bearer \xff\xfe") is None


@pytest.mark.parametrize("key", ["eyJ.a.b", "a"])
def test_what_is_let_in_by_a_key_is_let_in_for_good(key: str) -> None:
    assert not Keys(parse_api_keys(key)).may_expire(f"Bearer {key}")
