"""The ledger's invariants, after every step of random play."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from snapforge.billing import domain
from tests.core.billing.machine import machine


@pytest.mark.part("BIL-1")
class TestInvariants:
    def test_hold_after_every_step(self) -> None:
        """200 plays of 25 operations break no law of machine.py."""
        run_state_machine_as_test(
            machine(domain),
            settings=settings(
                max_examples=200,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    @pytest.mark.full
    def test_hold_in_fresh_plays(self) -> None:
        """3000 plays that no run has seen before."""
        run_state_machine_as_test(
            machine(domain),
            settings=settings(
                max_examples=2000,
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
