"""Deploys the repository's stacks into the emulator: a short process of its own, because the transform and boto3
would otherwise sit in the region's memory for good. `python -m infrastructure.local.stacks.deploy <settings.json>`.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from infrastructure.local.host.functions import Deployed, Function, StreamSource
from infrastructure.local.paths import REGION
from infrastructure.local.stacks import batch_definitions, seed, templates
from infrastructure.local.stacks.resolve import Resolver
from infrastructure.local.stacks.templates import Prepared

PROXY = "MINISTACK_LAMBDA_PROXY_URL"


class DeployFailed(RuntimeError):
    """A stack did not come up; the message names the resource and MiniStack's reason."""


class Clients:
    """boto3 clients of the region."""

    def __init__(self, emulator: str, batch: str) -> None:
        self._emulator, self._batch = emulator, batch
        self._session = boto3.Session("local", "local", region_name=REGION)

    def __call__(self, service: str) -> Any:
        endpoint = self._batch if service == "batch" else self._emulator
        config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, read_timeout=120)
        return self._session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def main() -> None:
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    client = Clients(settings["emulator"], settings["batch"])
    roots = [Path(root) for root in settings["roots"]]
    stacks: list[tuple[Prepared, dict[str, str], dict[str, str]]] = []
    try:
        for root in roots:
            prepared = templates.prepare(root, settings["parameters"], settings["invoke_url"], settings["emulator"])
            deploy(client, f"snapforge-local-{root.stem}", prepared, settings["parameters"])
            stacks += standing(client, f"snapforge-local-{root.stem}", prepared)
        for prepared, parameters, physical in stacks:
            resolver = Resolver(prepared.template, parameters, physical)
            batch_definitions.register(client("batch"), prepared.left_out, resolver)
        origin_secret = seed.seed(client, settings)
    except (DeployFailed, ClientError, ValueError, OSError) as error:
        sys.exit(f"deployment: {error}")
    found = Deployed(functions(client, stacks), settings["assets_bucket"], origin_secret)
    found.save(Path(settings["functions"]))
    Path(settings["deployed"]).write_text(json.dumps({"fingerprint": settings["fingerprint"]}))


def deploy(client: Clients, name: str, prepared: Prepared, parameters: Mapping[str, str]) -> None:
    """Create or update one root stack; its nested ones go the way `aws cloudformation package` sends them."""
    s3, cloudformation = client("s3"), client("cloudformation")
    if templates.TEMPLATE_BUCKET not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(
            Bucket=templates.TEMPLATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    for each in prepared.everything():
        s3.put_object(Bucket=templates.TEMPLATE_BUCKET, Key=each.key, Body=each.body.encode())
    request = {
        "StackName": name,
        "TemplateURL": f"{s3.meta.endpoint_url}/{templates.TEMPLATE_BUCKET}/{prepared.key}",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in _given(prepared, parameters).items()],
    }
    try:
        if _status(cloudformation, name) is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise
    deadline = time.monotonic() + 300
    while (status := _status(cloudformation, name) or "").endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeployFailed(f"stack {name} is still {status} after 300 s")
        time.sleep(0.1)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployFailed(f"stack {name} is {status}:\n{_failures(cloudformation)}")


def _given(prepared: Prepared, parameters: Mapping[str, str]) -> dict[str, str]:
    declared = prepared.template.get("Parameters", {})
    missing = [name for name, entry in declared.items() if "Default" not in entry and name not in parameters]
    if missing:
        raise DeployFailed(f"{prepared.path.name} wants parameters that the region does not know: {missing}")
    return {name: value for name, value in parameters.items() if name in declared}


def _status(cloudformation: Any, name: str) -> str | None:
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if stack["StackName"] == name and stack["StackStatus"] != "DELETE_COMPLETE":
            return str(stack["StackStatus"])
    return None


def _failures(cloudformation: Any) -> str:
    lines = []
    for stack in cloudformation.describe_stacks()["Stacks"]:
        for event in cloudformation.describe_stack_events(StackName=stack["StackName"])["StackEvents"]:
            if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason"):
                where = f"{stack['StackName']}/{event['LogicalResourceId']} ({event['ResourceType']})"
                lines.append(f"  {where}: {event['ResourceStatusReason']}")
    return "\n".join(lines) or "  (no reason given)"


def standing(client: Clients, name: str, prepared: Prepared) -> list[tuple[Prepared, dict[str, str], dict[str, str]]]:
    """Each template with its resolved parameters and its resources' physical ids, nested ones too."""
    cloudformation = client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    physical = {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in resources}
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])}
    result = [(prepared, parameters, physical)]
    for logical, child in prepared.children.items():
        if logical in physical:
            result += standing(client, physical[logical], child)
    return result


def functions(
    client: Clients, stacks: list[tuple[Prepared, dict[str, str], dict[str, str]]]
) -> dict[str, Function]:
    """What the functions host must know, as the deployed stacks say it."""
    api = client("lambda")
    config = {f["FunctionName"]: f for page in api.get_paginator("list_functions").paginate() for f in page["Functions"]}
    streams: dict[str, list[StreamSource]] = {}
    for mapping in api.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in mapping["EventSourceArn"]:
            streams.setdefault(mapping["FunctionArn"].split(":")[6], []).append(_stream(mapping))
    result = {}
    for prepared, _, physical in stacks:
        for logical, source in prepared.functions.items():
            name = physical.get(logical)
            if not name:
                continue
            deployed = config[name]
            environment = dict(deployed.get("Environment", {}).get("Variables", {}))
            environment.pop(PROXY, None)
            result[name] = Function(
                name=name,
                folder=str(source.folder),
                handler=source.handler,
                environment=environment,
                timeout=float(deployed["Timeout"]),
                memory=int(deployed["MemorySize"]),
                arn=deployed["FunctionArn"],
                routes=source.routes,
                url=source.url,
                streams=tuple(streams.get(name, ())),
            )
    return result


def _stream(mapping: dict[str, Any]) -> StreamSource:
    retries = mapping.get("MaximumRetryAttempts")
    return StreamSource(
        table=mapping["EventSourceArn"].split(":table/")[1].split("/")[0],
        partial_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        max_attempts=None if retries is None or int(retries) < 0 else int(retries) + 1,
        bisect=bool(mapping.get("BisectBatchOnFunctionError")),
        on_failure=mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
    )


if __name__ == "__main__":
    main()
