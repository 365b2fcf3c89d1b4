"""Hands the templates' job definitions and queues to local Batch, through Batch's own API."""

from typing import Any

from infrastructure.local.stacks.resolve import Resolver

_OPEN_KEYS = {"Parameters", "Options", "Tags", "Labels"}
"""Maps whose keys are the author's, not CloudFormation's."""


def api_shape(value: Any) -> Any:
    """CloudFormation's PascalCase properties in the API's camelCase."""
    if isinstance(value, list):
        return [api_shape(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_camel(key): inner if key in _OPEN_KEYS else api_shape(inner) for key, inner in value.items()}


def _camel(key: str) -> str:
    return key[0].lower() + key[1:]


def register(batch: Any, left_out: dict[str, dict[str, Any]], resolver: Resolver) -> None:
    """Create or update the queues and register a new revision of each job definition."""
    resources = [
        (r["Type"], resolver.resolve(r["Properties"]))
        for r in left_out.values()
        if r["Type"].startswith("AWS::Batch::") and resolver.holds(r)
    ]
    known = {queue["jobQueueName"] for queue in batch.describe_job_queues()["jobQueues"]}
    for kind, properties in resources:
        if kind == "AWS::Batch::JobQueue":
            name, priority = properties["JobQueueName"], int(properties["Priority"])
            fair = (
                {"schedulingPolicyArn": properties["SchedulingPolicyArn"]}
                if "SchedulingPolicyArn" in properties
                else {}
            )
            if name in known:
                batch.update_job_queue(jobQueue=name, priority=priority, state="ENABLED", **fair)
            else:
                order = [{"order": 1, "computeEnvironment": "local"}]
                batch.create_job_queue(jobQueueName=name, priority=priority, computeEnvironmentOrder=order, **fair)
        elif kind == "AWS::Batch::JobDefinition":
            batch.register_job_definition(**_definition(properties))


def _definition(properties: dict[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = api_shape(properties)
    shaped.setdefault("jobDefinitionName", properties["JobDefinitionName"])
    for name in ("tags", "schedulingPriority"):
        if name in shaped and name == "schedulingPriority":
            shaped[name] = int(shaped[name])
    shaped["timeout"] = {"attemptDurationSeconds": int(shaped["timeout"]["attemptDurationSeconds"])}
    return shaped
