"""Rollouts with random events (wanderer.py): each run takes another short walk.

`make test-random STEPS=50000` takes a long one. A failure prints its seed; `SEED=` repeats it.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.operator.wanderer import Wanderer

RULES = 50
"""Steps of one service's life."""
STEPS = int(os.environ.get("STEPS", "1000"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 2**32)


@pytest.mark.timeout(3600)
def test_whatever_happens_nobody_is_served_by_what_has_not_spoken_and_it_ends() -> None:
    found = settings(
        max_examples=max(STEPS // RULES, 1),
        stateful_step_count=RULES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(seed(SEED)(Wanderer), settings=found)
    except BaseException as error:
        error.add_note(f"repeat it with SEED={SEED} STEPS={STEPS}")
        raise
