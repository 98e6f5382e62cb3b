"""Which samples make a slow spell of the machine."""

from bench.server.slowspells import Sample, find


def steady(begin: float, count: int, *, late: float = 0.0, work: float = 0.0001) -> list[Sample]:
    return [Sample(begin + 0.01 * number, late, work) for number in range(count)]


def test_a_steady_machine_has_none() -> None:
    found = find(steady(0, 1000))
    assert found.spells == []
    assert found.share == 0
    assert "no slow spell" in str(found)


def test_half_speed_for_a_while_is_one_spell() -> None:
    found = find([*steady(0, 500), *steady(5, 20, work=0.0002), *steady(5.2, 480)])
    assert len(found.spells) == 1
    assert 0.18 < found.spells[0] < 0.21
    assert 0.017 < found.share < 0.022
    assert "1 spells, the longest 0.19 s" in str(found)


def test_a_late_sample_covers_the_time_that_it_was_late() -> None:
    found = find([*steady(0, 100), Sample(1.3, 0.3, 0.0001), *steady(1.31, 100)])
    assert [round(each, 2) for each in found.spells] == [0.3]


def test_a_single_slow_sample_is_none() -> None:
    assert find([*steady(0, 100), Sample(1.0, 0.0, 0.001), *steady(1.01, 100)]).spells == []


def test_nothing_measured() -> None:
    assert find([]).share == 0
