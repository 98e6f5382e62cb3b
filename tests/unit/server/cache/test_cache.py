from tts_server.cache.memory import AudioCache, CachedAudio, CacheKeyMemo

OVERHEAD = 400


def sound(size: int) -> CachedAudio:
    return CachedAudio(bytes(size), 1.0)


def test_what_was_put_is_got() -> None:
    cache = AudioCache(10_000)
    cache.put(("a", "mp3"), CachedAudio(b"sound", 1.5))
    assert cache.get(("a", "mp3")) == (b"sound", 1.5)
    assert cache.get(("a", "pcm")) is None
    assert cache.get(("b", "mp3")) is None


def test_the_least_recently_used_goes_first() -> None:
    cache = AudioCache(3_000)
    for key in "ab":
        cache.put((key, "pcm"), sound(1_000))
    cache.get(("a", "pcm"))
    cache.put(("c", "pcm"), sound(1_000))
    assert cache.get(("b", "pcm")) is None
    assert cache.get(("a", "pcm")) is not None
    assert cache.evictions == 1


def test_the_bound_holds_and_the_count_is_right() -> None:
    cache = AudioCache(5_000)
    for number in range(100):
        cache.put((str(number % 7), "pcm"), sound(number * 10))
        assert cache.bytes <= 5_000
    found = [cache.get((str(key), "pcm")) for key in range(7)]
    assert cache.bytes == sum(len(each.data) for each in found if each) + OVERHEAD * len(cache)


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = AudioCache(1_000)
    cache.put(("a", "pcm"), sound(2_000))
    assert (len(cache), cache.bytes) == (0, 0)


def test_no_memory_no_cache() -> None:
    cache = AudioCache(0)
    cache.put(("a", "pcm"), sound(0))
    assert len(cache) == 0


def test_a_memo_forgets_the_oldest() -> None:
    memo = CacheKeyMemo(limit=2)
    for request in (b"1", b"2", b"3"):
        memo.put(request, request.decode())
    assert [memo.get(request) for request in (b"1", b"2", b"3")] == [None, "2", "3"]
