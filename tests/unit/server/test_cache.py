from tts_server.cache import PcmCache


def test_what_was_put_is_got() -> None:
    cache = PcmCache(10_000)
    cache.put("a", b"sound")
    assert cache.get("a") == b"sound"
    assert cache.get("b") is None


def test_the_least_recently_used_goes_first() -> None:
    cache = PcmCache(3_000)
    for key in "ab":
        cache.put(key, bytes(1_000))
    cache.get("a")
    cache.put("c", bytes(1_000))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.evictions == 1


def test_the_bound_holds_and_the_count_is_right() -> None:
    cache = PcmCache(5_000)
    for number in range(100):
        cache.put(str(number % 7), bytes(number * 10))
        assert cache.bytes <= 5_000
    held = sum(len(cache.get(str(key)) or b"") for key in range(7))
    assert cache.bytes == held + 300 * len(cache)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = PcmCache(1_000)
    cache.put("a", bytes(2_000))
    assert (len(cache), cache.bytes) == (0, 0)


def test_no_memory_no_cache() -> None:
    cache = PcmCache(0)
    cache.put("a", b"")
    assert len(cache) == 0
