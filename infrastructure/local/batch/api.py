"""AWS Batch's REST API, as far as it is used: requests are checked and answered as AWS does."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from infrastructure.local.batch.engine import Engine
from infrastructure.local.batch.model import ENDED, STATUSES, WAITING, Job, Queue, arn, now

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}\*?")
_REFERENCE = re.compile(r"Ref::([\w.-]+)")

Body = dict[str, Any]


class ClientException(Exception):
    """AWS's 400: the caller's mistake, in words."""


class Api:
    """One method for each operation; all run under the engine's lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._operations: dict[str, Callable[[Body], Body]] = {
            "/v1/submitjob": self._submit,
            "/v1/describejobs": self._describe_jobs,
            "/v1/listjobs": self._list,
            "/v1/terminatejob": self._terminate,
            "/v1/canceljob": self._cancel,
            "/v1/registerjobdefinition": self._register,
            "/v1/describejobdefinitions": self._describe_definitions,
            "/v1/createjobqueue": self._create_queue,
            "/v1/updatejobqueue": self._update_queue,
            "/v1/describejobqueues": self._describe_queues,
        }

    def call(self, path: str, body: Body) -> Body | None:
        """The answer, or None for an operation that is not spoken here. Raises ClientException."""
        operation = self._operations.get(path)
        if operation is None:
            return None
        with self._engine.lock:
            answer = operation(body)
        self._engine.wake()
        return answer

    def _submit(self, body: Body) -> Body:
        name = _named(body, "jobName")
        queue = self._queue(body.get("jobQueue", ""))
        if queue.state != "ENABLED":
            raise ClientException(f"JobQueue {queue.name} is not in ENABLED state")
        if "arrayProperties" in body or "nodeOverrides" in body:
            raise ClientException("array and multi-node jobs are not run here")
        definition = self._definition(body.get("jobDefinition", ""))
        share = body.get("shareIdentifier")
        if queue.fair and (not isinstance(share, str) or not _SHARE.fullmatch(share)):
            raise ClientException(
                "shareIdentifier must be specified, alphanumeric, for a queue with a scheduling policy"
            )
        if share and not queue.fair:
            raise ClientException("shareIdentifier cannot be specified for a queue without a scheduling policy")
        timeout = {**definition.get("timeout", {}), **body.get("timeout", {})}.get("attemptDurationSeconds")
        if timeout is not None and int(timeout) < self._engine.limits.shortest_timeout:
            raise ClientException(f"attemptDurationSeconds must be at least {self._engine.limits.shortest_timeout}")
        retry = body.get("retryStrategy") or definition.get("retryStrategy") or {}
        overrides = body.get("containerOverrides", {})
        properties = definition["containerProperties"]
        parameters = {**definition.get("parameters", {}), **body.get("parameters", {})}
        environment = {e["name"]: e["value"] for e in properties.get("environment", [])}
        environment |= {e["name"]: e.get("value", "") for e in overrides.get("environment", [])}
        if bad := [key for key in environment if key.startswith("AWS_BATCH")]:
            raise ClientException(f"Environment variables must not start with AWS_BATCH: {bad}")
        job = Job(
            id=str(uuid.uuid4()),
            name=name,
            queue=queue.name,
            definition=definition,
            command=_command(overrides.get("command") or properties.get("command", []), parameters),
            environment=environment,
            attempts_allowed=_between(retry.get("attempts", 1), 1, 10, "attempts"),
            evaluate_on_exit=_conditions(retry.get("evaluateOnExit", [])),
            timeout=None if timeout is None else int(timeout),
            created_at=now(),
            share=share,
            priority=int(body.get("schedulingPriorityOverride", definition.get("schedulingPriority", 0))),
            parameters=parameters,
            depends_on=[d["jobId"] for d in body.get("dependsOn", [])],
            tags=body.get("tags", {}),
        )
        self._engine.memory.jobs[job.id] = job
        self._engine.move(job, "SUBMITTED")
        return {"jobArn": arn("job", job.id), "jobId": job.id, "jobName": name}

    def _describe_jobs(self, body: Body) -> Body:
        ids = body.get("jobs")
        if not isinstance(ids, list) or not 1 <= len(ids) <= 100:
            raise ClientException("jobs must name 1 to 100 jobs")
        known = self._engine.memory.jobs
        wanted = [str(job).rsplit("/", 1)[-1] for job in ids]
        return {"jobs": [known[job].describe() for job in wanted if job in known]}

    def _list(self, body: Body) -> Body:
        queue = self._queue(body.get("jobQueue", ""))
        jobs = [job for job in self._engine.memory.jobs.values() if job.queue == queue.name]
        filters = body.get("filters", [])
        if filters:
            jobs = [job for job in jobs if all(_passes(job, one) for one in filters)]
        else:
            status = body.get("jobStatus", "RUNNING")
            if status not in STATUSES:
                raise ClientException(f"Invalid job status: {status}")
            jobs = [job for job in jobs if job.status == status]
        return _page("jobSummaryList", [job.summary() for job in jobs[::-1]], body)

    def _terminate(self, body: Body) -> Body:
        self._stop(body, WAITING)
        return {}

    def _cancel(self, body: Body) -> Body:
        """Only jobs that have not started are cancelled; others go on, without an error."""
        job = self._engine.memory.jobs.get(str(body.get("jobId")))
        if job is None or job.status in WAITING:
            self._stop(body, WAITING)
        return {}

    def _stop(self, body: Body, waiting: tuple[str, ...]) -> None:
        reason = body.get("reason")
        if not isinstance(reason, str) or not reason:
            raise ClientException("reason must not be empty")
        job = self._engine.memory.jobs.get(str(body.get("jobId")))
        if job is None:
            raise ClientException(f"Job {body.get('jobId')} does not exist")
        if job.status in ENDED:
            return
        job.terminated = job.terminated or reason
        if job.status in waiting:
            self._engine.fail(job, reason)

    def _register(self, body: Body) -> Body:
        name = _named(body, "jobDefinitionName")
        properties = body.get("containerProperties")
        if body.get("type") != "container" or not isinstance(properties, dict) or not properties.get("image"):
            raise ClientException("only definitions of type container with containerProperties.image are run here")
        revisions = self._engine.memory.definitions.setdefault(name, [])
        revision = revisions[-1]["revision"] + 1 if revisions else 1
        kept = {key: value for key, value in body.items() if value is not None}
        described = {**kept, "jobDefinitionArn": arn("job-definition", f"{name}:{revision}"), "revision": revision}
        revisions.append({**described, "status": "ACTIVE"})
        return {"jobDefinitionName": name, "jobDefinitionArn": described["jobDefinitionArn"], "revision": revision}

    def _describe_definitions(self, body: Body) -> Body:
        every = [revision for revisions in self._engine.memory.definitions.values() for revision in revisions[::-1]]
        if wanted := body.get("jobDefinitions"):
            every = [self._definition(name) for name in wanted]
        elif name := body.get("jobDefinitionName"):
            every = [definition for definition in every if definition["jobDefinitionName"] == name]
        if status := body.get("status"):
            every = [definition for definition in every if definition["status"] == status]
        return _page("jobDefinitions", every, body)

    def _create_queue(self, body: Body) -> Body:
        name = _named(body, "jobQueueName")
        if name in self._engine.memory.queues:
            raise ClientException(f"Object already exists: {name}")
        priority = _between(body.get("priority", -1), 0, 1000, "priority")
        self._engine.memory.queues[name] = Queue(name, priority, body.get("schedulingPolicyArn"))
        return {"jobQueueName": name, "jobQueueArn": arn("job-queue", name)}

    def _update_queue(self, body: Body) -> Body:
        queue = self._queue(body.get("jobQueue", ""))
        queue.priority = _between(body.get("priority", queue.priority), 0, 1000, "priority")
        queue.state = body.get("state", queue.state)
        queue.fair = body.get("schedulingPolicyArn", queue.fair)
        return {"jobQueueName": queue.name, "jobQueueArn": arn("job-queue", queue.name)}

    def _describe_queues(self, body: Body) -> Body:
        queues = self._engine.memory.queues
        wanted = [str(name).rsplit("/", 1)[-1] for name in body.get("jobQueues", queues)]
        return _page("jobQueues", [queues[name].describe() for name in wanted if name in queues], body)

    def _queue(self, name: str) -> Queue:
        queue = self._engine.memory.queues.get(name.rsplit("/", 1)[-1])
        if queue is None:
            raise ClientException(f"Job Queue {name} does not exist")
        return queue

    def _definition(self, name: str) -> dict[str, Any]:
        short, _, revision = name.rsplit("/", 1)[-1].partition(":")
        revisions = self._engine.memory.definitions.get(short, [])
        found = [r for r in revisions if not revision or r["revision"] == int(revision)]
        if not found:
            raise ClientException(f"JobDefinition {name} does not exist or is inactive")
        return found[-1]


def _named(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ClientException(f"{key} should match valid pattern: ^[A-Za-z0-9][A-Za-z0-9_-]{{0,127}}$")
    return value


def _between(value: Any, low: int, high: int, name: str) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise ClientException(f"{name} must be between {low} and {high}")
    return value


def _command(command: list[str], parameters: dict[str, str]) -> list[str]:
    if not command:
        raise ClientException("the image's own command is not known here: the definition must name one")

    def value(match: re.Match[str]) -> str:
        return parameters.get(match.group(1), match.group(0))

    return [_REFERENCE.sub(value, word) for word in command]


def _conditions(rules: list[dict[str, str]]) -> list[dict[str, str]]:
    for rule in rules:
        if rule.get("action", "").upper() not in ("RETRY", "EXIT"):
            raise ClientException("evaluateOnExit action must be RETRY or EXIT")
    return rules


def _passes(job: Job, one: dict[str, Any]) -> bool:
    name, values = one.get("name"), one.get("values", [])
    match name:
        case "JOB_NAME":
            return any(_like(job.name, value) for value in values)
        case "JOB_DEFINITION":
            full = job.definition["jobDefinitionArn"]
            return any(value == full or _like(full.rsplit("/", 1)[-1].split(":")[0], value) for value in values)
        case "SHARE_IDENTIFIER":
            return job.share in values
        case "BEFORE_CREATED_AT":
            return job.created_at < int(values[0])
        case "AFTER_CREATED_AT":
            return job.created_at > int(values[0])
        case _:
            raise ClientException(f"Invalid filter name: {name}")


def _like(text: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return text.lower().startswith(pattern[:-1].lower())
    return text.lower() == pattern.lower()


def _page(key: str, items: list[Any], body: Body) -> Body:
    start, size = int(body.get("nextToken") or 0), int(body.get("maxResults") or 100)
    answer: Body = {key: items[start : start + size]}
    return {**answer, "nextToken": str(start + size)} if start + size < len(items) else answer
