from tts_server.cache.redis import CircuitBreaker


def test_the_breaker_opens_after_three_failures_and_tries_again_after_a_pause() -> None:
    now = 0.0
    breaker = CircuitBreaker(lambda: now)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert not breaker.allows()
    now = 5.0
    assert [breaker.allows(), breaker.allows()] == [True, False]  # one attempt
    assert not breaker.failed()
    assert not breaker.allows()
    now = 10.0
    assert breaker.allows()
    assert breaker.succeeded()
    assert breaker.allows()
    assert not breaker.succeeded()


def test_failures_have_to_be_in_a_row() -> None:
    breaker = CircuitBreaker(lambda: 0.0)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
