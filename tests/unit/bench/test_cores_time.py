import os

from bench.jobs.corestime import CoresTime, cores_time

TICKS = os.sysconf("SC_CLK_TCK")
#               user nice system idle iowait irq softirq steal guest
STAT = f"""\
cpu  {30 * TICKS} 0 0 {70 * TICKS} 0 0 0 0 0 0
cpu0 {10 * TICKS} {1 * TICKS} {2 * TICKS} {20 * TICKS} {3 * TICKS} 0 {1 * TICKS} {3 * TICKS} {5 * TICKS} 0
cpu1 {20 * TICKS} 0 0 {50 * TICKS} 0 0 0 0 0 0
cpu10 {90 * TICKS} 0 0 0 0 0 0 0 0 0
intr 1 2 3
"""


def test_the_time_of_one_core() -> None:
    assert cores_time([0], STAT) == CoresTime(total=40, idle=23)


def test_the_time_of_two_cores() -> None:
    assert cores_time([0, 1], STAT) == CoresTime(total=110, idle=73)


def test_what_was_spent_since() -> None:
    assert CoresTime(110, 73).since(CoresTime(40, 23)) == CoresTime(70, 50)


def test_the_time_of_this_machine_goes_on() -> None:
    cores = os.sched_getaffinity(0)
    first = cores_time(cores)
    assert 0 < first.idle < first.total
    assert cores_time(cores).total >= first.total
