"""What local Batch remembers: definitions, queues, jobs. Times are epoch milliseconds, as in the API."""

import fnmatch
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.local.paths import ACCOUNT, REGION

WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")
ENDED = ("SUCCEEDED", "FAILED")
STATUSES = (*WAITING, "STARTING", "RUNNING", *ENDED)
KEPT_ENDED = 500
"""Ended jobs that are remembered; AWS keeps them for a week."""


def arn(kind: str, name: str) -> str:
    return f"arn:aws:batch:{REGION}:{ACCOUNT}:{kind}/{name}"


def now() -> int:
    return int(time.time() * 1000)


@dataclass
class Queue:
    """A job queue. With a scheduling policy it shares fairly by identifier, without one it is first in first out."""

    name: str
    priority: int
    fair: str | None = None
    """ARN of the scheduling policy."""
    state: str = "ENABLED"

    def describe(self) -> dict[str, Any]:
        described = {
            "jobQueueName": self.name,
            "jobQueueArn": arn("job-queue", self.name),
            "state": self.state,
            "status": "VALID",
            "priority": self.priority,
            "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": arn("compute-environment", "local")}],
        }
        return {**described, "schedulingPolicyArn": self.fair} if self.fair else described


@dataclass
class Job:
    """One job and its attempts."""

    id: str
    name: str
    queue: str
    definition: dict[str, Any]
    """The revision it was submitted with."""
    command: list[str]
    environment: dict[str, str]
    attempts_allowed: int
    evaluate_on_exit: list[dict[str, str]]
    timeout: int | None
    """Seconds per attempt."""
    created_at: int
    share: str | None = None
    priority: int = 0
    parameters: dict[str, str] = field(default_factory=dict)
    depends_on: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "SUBMITTED"
    status_reason: str | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    started_at: int | None = None
    stopped_at: int | None = None
    terminated: str | None = None
    """The reason given to TerminateJob or CancelJob."""

    @property
    def log_stream(self) -> str:
        return f"{self.definition['jobDefinitionName']}/default/{self.id}"

    def container(self) -> dict[str, Any]:
        properties = self.definition["containerProperties"]
        described = {
            "image": properties["image"],
            "command": self.command,
            "environment": [{"name": name, "value": value} for name, value in self.environment.items()],
            "resourceRequirements": properties.get("resourceRequirements", []),
            "volumes": properties.get("volumes", []),
            "mountPoints": properties.get("mountPoints", []),
            "logStreamName": self.log_stream,
        }
        last = self.attempts[-1]["container"] if self.attempts and self.status in ENDED else {}
        return {**described, **{key: last[key] for key in ("exitCode", "reason") if key in last}}

    def describe(self) -> dict[str, Any]:
        """As DescribeJobs shows it, and as the state change event's detail."""
        described: dict[str, Any] = {
            "jobArn": arn("job", self.id),
            "jobId": self.id,
            "jobName": self.name,
            "jobQueue": arn("job-queue", self.queue),
            "jobDefinition": self.definition["jobDefinitionArn"],
            "status": self.status,
            "createdAt": self.created_at,
            "attempts": self.attempts,
            "retryStrategy": {"attempts": self.attempts_allowed, "evaluateOnExit": self.evaluate_on_exit},
            "dependsOn": [{"jobId": job} for job in self.depends_on],
            "parameters": self.parameters,
            "container": self.container(),
            "tags": self.tags,
            "propagateTags": bool(self.definition.get("propagateTags")),
            "platformCapabilities": self.definition.get("platformCapabilities", ["EC2"]),
            "isTerminated": self.terminated is not None,
            "isCancelled": False,
        }
        optional = {
            "statusReason": self.status_reason,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "shareIdentifier": self.share,
            "schedulingPriority": self.priority if self.share else None,
            "timeout": {"attemptDurationSeconds": self.timeout} if self.timeout else None,
        }
        return {**described, **{key: value for key, value in optional.items() if value is not None}}

    def summary(self) -> dict[str, Any]:
        """As ListJobs shows it."""
        full = self.describe()
        keys = ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt")
        short = {key: full[key] for key in (*keys, "jobDefinition") if key in full}
        container = {key: full["container"][key] for key in ("exitCode", "reason") if key in full["container"]}
        return {**short, "container": container} if container else short

    def retries(self, exit_code: int | None, reason: str, status_reason: str) -> bool:
        """Whether AWS would try again after a failed attempt: the first matching condition decides, none means yes."""
        if len(self.attempts) >= self.attempts_allowed:
            return False
        seen = {
            "onExitCode": "" if exit_code is None else str(exit_code),
            "onReason": reason,
            "onStatusReason": status_reason,
        }
        for rule in self.evaluate_on_exit:
            if all(_matches(rule[key], value) for key, value in seen.items() if key in rule):
                return rule["action"].upper() == "RETRY"
        return True


def _matches(pattern: str, value: str) -> bool:
    """A trailing `*` is the only wildcard that Batch knows. Case does not count."""
    return fnmatch.fnmatchcase(value.lower(), pattern.lower().replace("[", "[[]"))


@dataclass
class Memory:
    """Everything that outlives a clean stop."""

    queues: dict[str, Queue] = field(default_factory=dict)
    definitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Revisions by name, oldest first."""
    jobs: dict[str, Job] = field(default_factory=dict)
    usage: dict[str, float] = field(default_factory=dict)
    """Past seconds of each `<queue>/<share identifier>`, decaying."""

    def save(self, path: Path) -> None:
        ended = [job.id for job in self.jobs.values() if job.status in ENDED]
        for job in ended[:-KEPT_ENDED]:
            del self.jobs[job]
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Memory":
        if not path.exists():
            return cls()
        raw = json.loads(path.read_text())
        return cls(
            queues={name: Queue(**queue) for name, queue in raw["queues"].items()},
            definitions=raw["definitions"],
            jobs={name: Job(**job) for name, job in raw["jobs"].items()},
            usage=raw["usage"],
        )
