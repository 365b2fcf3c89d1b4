"""The state machine is worth something: it notices each wrong rule that we can think of."""

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.billing.machine import machine
from tests.core.billing.mutants import MORE, QUICK, Mutant, planted

PLAY = settings(
    max_examples=400,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
)


def noticed(mutant: Mutant | None, play: settings = PLAY) -> bool:
    """Whether a play against the domain with the mutant fails."""
    with planted(mutant) as domain:
        try:
            run_state_machine_as_test(machine(domain), settings=play)
        except Exception as error:  # noqa: BLE001 - a mutant may die of anything but a slip in its own writing
            return not isinstance(error, NameError | AttributeError)
        return False


@pytest.mark.part("BIL-1")
class TestMutants:
    def test_the_true_rules_survive(self) -> None:
        """A domain compiled the same way, without a mutant, passes: nothing dies of the planting."""
        assert not noticed(None, settings(PLAY, max_examples=20))

    @pytest.mark.parametrize("name", QUICK)
    def test_notices(self, name: str) -> None:
        """Four rules that real ledgers got wrong."""
        assert noticed(QUICK[name])

    @pytest.mark.full
    @pytest.mark.parametrize("name", MORE)
    def test_notices_all_others(self, name: str) -> None:
        """Every other rule, turned."""
        assert noticed(MORE[name])
