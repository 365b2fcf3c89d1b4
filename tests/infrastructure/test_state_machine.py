"""render.asl.yaml as text: every task is retried and caught, every path ends, and nothing in it decides a price."""

import re
from typing import Any

import pytest
import yaml

from tests.support.stacks import stack
from tests.support.templates import REPO, template

SOURCE = REPO / "infrastructure/state_machines/render.asl.yaml"
MACHINE: dict[str, Any] = yaml.safe_load(SOURCE.read_text())
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
LAMBDA_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
}

pytestmark = pytest.mark.part("JOB-4")


def successors(state: dict[str, Any]) -> set[str]:
    """Where a state can lead."""
    rules = [state, *state.get("Choices", []), *state.get("Catch", [])]
    return {rule["Next"] for rule in rules if "Next" in rule} | ({state["Default"]} if "Default" in state else set())


def reachable(start: str) -> set[str]:
    """Every state that can follow `start`, itself too."""
    seen, to_see = set(), [start]
    while to_see:
        name = to_see.pop()
        if name not in seen:
            seen.add(name)
            to_see += successors(STATES[name])
    return seen


class TestTasks:
    def test_they_are_the_four_steps(self) -> None:
        """Settle stands twice: as said, and as a bug of ours when that fails."""
        called = [task["Arguments"]["FunctionName"] for task in TASKS.values()]
        assert called == ["${CheckJob}", "${DispatchJob}", "${ClassifyFailure}", "${SettleJob}", "${SettleJob}"]

    @pytest.mark.parametrize("name", TASKS)
    def test_it_is_retried_with_jitter(self, name: str) -> None:
        """Lambda's own failures patiently, anything else a few times; never in step with its neighbours."""
        own, other = TASKS[name]["Retry"]
        assert set(own["ErrorEquals"]) == LAMBDA_ERRORS
        assert other["ErrorEquals"] == ["States.TaskFailed"]
        for retrier in (own, other):
            assert retrier["JitterStrategy"] == "FULL"
            assert retrier["BackoffRate"] > 1
            assert 1 < retrier["MaxAttempts"] < 10
            assert retrier["MaxDelaySeconds"] <= 60

    @pytest.mark.parametrize("name", TASKS)
    def test_it_is_caught(self, name: str) -> None:
        """No error ends the execution unseen: the last catcher takes everything."""
        assert TASKS[name]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]

    @pytest.mark.parametrize("name", TASKS)
    def test_it_ends_in_time_by_a_plain_number(self, name: str) -> None:
        """A time-out each. A heartbeat would count the wait for a GPU, so there is none."""
        assert isinstance(TASKS[name]["TimeoutSeconds"], int)
        assert "HeartbeatSeconds" not in TASKS[name]

    def test_only_dispatch_waits_to_be_told(self) -> None:
        """The token goes to DispatchJob and to nobody else."""
        waiting = [name for name, task in TASKS.items() if task["Resource"].endswith(".waitForTaskToken")]
        assert waiting == ["Dispatch"]
        assert SOURCE.read_text().count("Task.Token") == 1


class TestShape:
    def test_every_state_is_there_and_reached(self) -> None:
        """No path leads nowhere, and no state stands aside."""
        assert reachable(MACHINE["StartAt"]) == set(STATES)

    def test_every_path_can_end(self) -> None:
        """From each state the end can be reached."""
        ends = {name for name, state in STATES.items() if state.get("End") or state["Type"] == "Fail"}
        assert ends == {"Ended", "Unsettled"}
        assert [name for name in STATES if not reachable(name) & ends] == []

    def test_it_gives_up_only_when_settling_fails(self) -> None:
        """`Unsettled` is reached from the last settle alone; every other failure settles."""
        assert [name for name, state in STATES.items() if "Unsettled" in successors(state)] == ["SettleAsBug"]
        for name in ("Check", "Dispatch", "Classify"):
            assert "Settle" in reachable(name)

    def test_what_is_caught_is_settled_as_our_fault(self) -> None:
        """A step that cannot be run is a bug: nothing is charged."""
        for name in ("Check", "Classify", "Settle"):
            outcome = TASKS[name]["Catch"][-1]["Output"]["outcome"]
            assert outcome["outcome"] == "failed"
            assert outcome["failure"]["category"] == "bug"

    def test_it_ends_on_a_pass(self) -> None:
        """Succeed's Output is not honoured everywhere."""
        assert STATES["Ended"] == {"Type": "Pass", "End": True}
        assert "Succeed" not in {state["Type"] for state in STATES.values()}

    def test_control_flow_only(self) -> None:
        """JSONata throughout, no prices and no arithmetic: the steps decide."""
        assert MACHINE["QueryLanguage"] == "JSONata"
        assert "QueryLanguage" not in {key for state in STATES.values() for key in state}
        expressions = " ".join(re.findall(r"{%(.+?)%}", SOURCE.read_text()))
        assert not re.search(r"credit|price|[-+*/]\s*\d|\$(sum|power|round)", expressions)


class TestTemplate:
    def test_it_fills_in_exactly_the_steps(self) -> None:
        """Each `${Name}` of the definition is substituted by the published version of that function."""
        given = template("workflow").resources["Render"]["Properties"]["DefinitionSubstitutions"]
        assert set(re.findall(r"\$\{(\w+)\}", SOURCE.read_text())) == set(given)
        assert all(value == {"Ref": f"{name}.Alias"} for name, value in given.items())

    def test_it_is_the_machine_that_functions_start(self) -> None:
        """STATE_MACHINE_ARN and the machine have one name; its definition is this file."""
        properties = template("workflow").resources["Render"]["Properties"]
        variables = template("workflow").body["Globals"]["Function"]["Environment"]["Variables"]
        assert stack("workflow").resolve(variables["STATE_MACHINE_ARN"]) == stack("workflow").arn("Render")
        assert properties["DefinitionUri"] == "state_machines/render.asl.yaml"
        assert properties["Type"] == "STANDARD"
