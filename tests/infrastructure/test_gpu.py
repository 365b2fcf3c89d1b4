"""The GPU stack: how Batch answers each end of a worker, who waits for whom, what a machine does when reclaimed."""

import ast
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.support.templates import REPO, Resource, template, text, walk

GPU = template("gpu")
DEFINITIONS = GPU.of_type("AWS::Batch::JobDefinition")
QUEUES = GPU.of_type("AWS::Batch::JobQueue")


def decide(definition: Resource, *, exit_code: int | None = None, status_reason: str = "", reason: str = "") -> str:
    """What AWS Batch does after a failed attempt: the first rule that matches in all it names; else RETRY."""
    seen = {
        "OnExitCode": "" if exit_code is None else str(exit_code),
        "OnStatusReason": status_reason,
        "OnReason": reason,
    }
    for rule in definition["Properties"]["RetryStrategy"]["EvaluateOnExit"]:
        asked = {name: pattern for name, pattern in rule.items() if name != "Action"}
        if all(fnmatchcase(seen[name], pattern) for name, pattern in asked.items()):
            return str(rule["Action"])
    return "RETRY"


def exit_codes() -> dict[str, int]:
    """`Exit` of the worker, read without its environment."""
    tree = ast.parse((REPO / "gpu_batch/worker/errors.py").read_text())
    [codes] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Exit"]
    return {
        ast.unparse(node.targets[0]): int(ast.unparse(node.value))
        for node in codes.body
        if isinstance(node, ast.Assign)
    }


OWN = [name for name in DEFINITIONS if name != "ImageDefinition"]
"""Of jobs that are one attempt each."""


@pytest.mark.part("JOB-4", "JOB-6")
class TestWarmWorker:
    """The definition `image`."""

    WARM = DEFINITIONS["ImageDefinition"]["Properties"]

    def test_it_drains_the_queues_of_tickets_rush_first(self) -> None:
        container = self.WARM["ContainerProperties"]
        assert container["Command"] == ["python", "-m", "worker.warm"]
        told = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        assert {"IDLE_SECONDS", "MICRO_BATCH", "WORKSPACE", "WEIGHTS_URI"} <= told.keys()
        urls, _ = told["IMAGE_QUEUE_URLS"]["Fn::Sub"]
        order = [url.rpartition("-")[2] for url in urls.split(",")]
        assert order == ["rush", "standard", "bulk"]

    def test_its_batch_job_is_one_life(self) -> None:
        """The keeper replaces it: what it had claimed is others' once Batch says that it has ended."""
        assert self.WARM["RetryStrategy"] == {"Attempts": 1}
        assert self.WARM["Timeout"]["AttemptDurationSeconds"] <= 6 * 3600


@pytest.mark.part("JOB-4")
@pytest.mark.parametrize("name", OWN)
class TestRetries:
    def test_only_try_again_is_tried_again(self, name: str) -> None:
        """Every exit code that the worker knows: 75 is retried, the others are not."""
        codes = exit_codes()
        assert {"DONE", "BAD_MANIFEST", "INPUT", "BUG", "TRY_AGAIN"} == set(codes)
        failed = {code: decide(DEFINITIONS[name], exit_code=value) for code, value in codes.items() if value}
        assert failed == {"BAD_MANIFEST": "EXIT", "INPUT": "EXIT", "BUG": "EXIT", "TRY_AGAIN": "RETRY"}

    def test_a_reclaimed_machine_is_tried_again(self, name: str) -> None:
        """Spot takes a host away: `Host EC2 (instance i-…) terminated.`"""
        reclaimed = "Host EC2 (instance i-0123456789abcdef0) terminated."
        assert decide(DEFINITIONS[name], status_reason=reclaimed) == "RETRY"

    def test_a_killed_worker_is_left_to_the_workflow(self, name: str) -> None:
        """137 may be memory: only the workflow knows whether to try again smaller."""
        killed = decide(
            DEFINITIONS[name],
            exit_code=137,
            status_reason="Essential container in task exited",
            reason="OutOfMemoryError: Container killed due to memory usage",
        )
        assert killed == "EXIT"

    def test_within_what_batch_takes(self, name: str) -> None:
        """At most five rules and ten attempts; a last-resort time-out."""
        properties = DEFINITIONS[name]["Properties"]
        assert len(properties["RetryStrategy"]["EvaluateOnExit"]) <= 5
        assert 1 < properties["RetryStrategy"]["Attempts"] <= 10
        assert properties["Timeout"]["AttemptDurationSeconds"] >= 60

    def test_it_runs_the_worker_on_one_gpu(self, name: str) -> None:
        """The command is `python -m worker`; its manifest comes with each job, in the environment."""
        container = DEFINITIONS[name]["Properties"]["ContainerProperties"]
        assert container["Command"] == ["python", "-m", "worker"]
        assert {"Type": "GPU", "Value": "1"} in container["ResourceRequirements"]
        assert {"WORKSPACE", "WEIGHTS_URI"} <= {entry["Name"] for entry in container["Environment"]}


@pytest.mark.part("JOB-6")
class TestQueues:
    def test_rush_goes_before_standard_before_bulk(self) -> None:
        """The three queues of the product, by priority; warm image workers come between those who pay for haste."""
        by_priority = sorted(QUEUES.values(), key=lambda queue: -queue["Properties"]["Priority"])
        names = [text(queue["Properties"]["JobQueueName"]) for queue in by_priority]
        assert names == [f"snapforge-${{Stage}}-{name}" for name in ("rush", "images", "standard", "bulk")]

    def test_all_share_fairly(self) -> None:
        """Each queue of customers' jobs follows the policy in which orgs share by weight, with no weights set."""
        of_orgs = [queue["Properties"] for name, queue in QUEUES.items() if name != "ImagesQueue"]
        assert {str(properties["SchedulingPolicyArn"]) for properties in of_orgs} == {str({"Ref": "FairShare"})}
        policy = GPU.resources["FairShare"]["Properties"]["FairsharePolicy"]
        assert policy["ShareDecaySeconds"] > 0
        assert "ShareDistribution" not in policy

    def test_what_is_paid_as_rush_is_never_reclaimed(self) -> None:
        """Rush runs on demand only; bulk on Spot only."""

        def kinds(queue: str) -> list[str]:
            order = QUEUES[queue]["Properties"]["ComputeEnvironmentOrder"]
            environments = [GPU.resources[one["ComputeEnvironment"]["Ref"]] for one in order]
            return [environment["Properties"]["ComputeResources"]["Type"] for environment in environments]

        assert kinds("RushQueue") == ["EC2"]
        assert kinds("BulkQueue") == ["SPOT"]


class TestMachines:
    def test_a_spot_notice_drains_and_leaves_time_for_a_checkpoint(self) -> None:
        """Draining is on, and 110 of the notice's 120 seconds are the worker's."""
        script = GPU.resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]
        assert "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" in script
        assert "ECS_CONTAINER_STOP_TIMEOUT=110s" in script

    def test_idle_costs_nothing(self) -> None:
        """Both environments shrink to no machine, and have a ceiling."""
        environments = GPU.of_type("AWS::Batch::ComputeEnvironment")
        assert len(environments) == 2
        for environment in environments.values():
            resources = environment["Properties"]["ComputeResources"]
            assert resources["MinvCpus"] == 0
            assert resources["MaxvCpus"] == {"Ref": "MaxVcpus"}

    def test_nothing_listens_and_nothing_reaches_the_internet(self) -> None:
        """No ingress for workers, no Internet gateway or NAT in their network, and an endpoint for all they call."""
        network = template("network")
        kinds = {resource["Type"] for resource in network.resources.values()}
        assert not kinds & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway"}
        assert "SecurityGroupIngress" not in network.resources["WorkerGroup"]["Properties"]
        services = {
            text(e["Properties"]["ServiceName"]).removeprefix("com.amazonaws.${AWS::Region}.")
            for e in network.of_type("AWS::EC2::VPCEndpoint").values()
        }
        assert services == {"s3", "ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "sqs"}

    def test_roles_are_tasks_not_people(self) -> None:
        """Only EC2 and ECS tasks take on the roles of this stack."""
        trusted: set[Any] = {
            value
            for role in GPU.of_type("AWS::IAM::Role").values()
            for inner in walk(role["Properties"]["AssumeRolePolicyDocument"])
            if isinstance(inner, dict) and "Service" in inner
            for value in [inner["Service"]]
        }
        assert trusted == {"ec2.amazonaws.com", "ecs-tasks.amazonaws.com"}
