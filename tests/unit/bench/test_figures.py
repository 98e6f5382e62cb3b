from bench.figures import Figure, quantile, series, table


def test_a_bar_may_be_reached_but_not_exceeded() -> None:
    assert Figure("writes", 0, "requests", 0).ok
    assert not Figure("writes", 1, "requests", 0).ok
    assert Figure("p50", 0.05, "s", 0.05).ok
    assert Figure("memory", 1e9, "MB").ok


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(20, 0, -1)]
    assert quantile(values, 0.5) == 10
    assert quantile(values, 0.99) == 20
    assert quantile([7.0], 0.5) == 7


def test_a_series_has_its_bars() -> None:
    found = {figure.name: figure for figure in series("drift", [0.1, 0.2, 0.9], "s", p50=0.2, p99=0.5)}
    assert found["drift p50"].ok
    assert not found["drift p99"].ok
    assert found["drift max"].limit is None


def test_the_table_says_what_is_missed_and_what_others_need() -> None:
    rows = table([Figure("a", 2, "s", 1), Figure("b", 1, "s", 1)], {"b": "7.8 s"}, "KServe").splitlines()
    assert rows[0].endswith("KServe")
    assert "MISSED" in rows[1]
    assert rows[2].endswith("7.8 s")
