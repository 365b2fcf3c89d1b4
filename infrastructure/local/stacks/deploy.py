"""Deploys the repository's stacks into the emulator: a short process of its own, because the transform and boto3
would otherwise sit in the region's memory for good. `python -m infrastructure.local.stacks.deploy <settings.json>`.
"""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
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
    stacks: list[Standing] = []
    try:
        for root in roots:
            setting = templates.Setting(settings["parameters"], settings["invoke_url"], seed.lookup(client))
            stacks += deploy_all(
                client, f"snapforge-local-{root.stem}", templates.prepare(root, setting), setting.parameters
            )
        for stack in stacks:
            batch_definitions.register(client("batch"), stack.prepared.left_out, stack.resolver())
        origin_secret = seed.seed(client, settings)
    except (DeployFailed, ClientError, ValueError, OSError) as error:
        sys.exit(f"deployment: {error}")
    found = Deployed(functions(client, stacks), settings["assets_bucket"], origin_secret)
    found.save(Path(settings["functions"]))
    Path(settings["deployed"]).write_text(json.dumps({"fingerprint": settings["fingerprint"]}))


@dataclass(frozen=True)
class Standing:
    """A stack that stands, as the emulator describes it."""

    prepared: Prepared
    parameters: dict[str, str]
    physical: dict[str, str]
    """Physical ids by logical id."""
    outputs: dict[str, str]

    def resolver(self) -> Resolver:
        return Resolver(self.prepared.template, self.parameters, self.physical)


def deploy_all(client: Clients, name: str, prepared: Prepared, parameters: Mapping[str, str]) -> list[Standing]:
    """One template's own resources, then its nested stacks in order, each with what the parent passes on."""
    own = deploy(client, name, prepared, parameters)
    result = [own]
    resolver = own.resolver()
    for logical, child in prepared.children.items():
        given = {key: _text(resolver.resolve(value)) for key, value in child.parameters.items()}
        below = deploy_all(client, f"{name}-{logical.lower()}", child.prepared, given)
        resolver.know(logical, below[0].outputs)
        result += below
    return result


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def deploy(client: Clients, name: str, prepared: Prepared, parameters: Mapping[str, str]) -> Standing:
    """Create or update one stack. A template without resources of its own is no stack."""
    given = _given(prepared, parameters)
    if not prepared.template["Resources"]:
        return Standing(prepared, _with_defaults(prepared, given), {}, {})
    s3, cloudformation = client("s3"), client("cloudformation")
    if templates.TEMPLATE_BUCKET not in {b["Name"] for b in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=templates.TEMPLATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=templates.TEMPLATE_BUCKET, Key=prepared.key, Body=prepared.body.encode())
    request = {
        "StackName": name,
        "TemplateURL": f"{s3.meta.endpoint_url}/{templates.TEMPLATE_BUCKET}/{prepared.key}",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    }
    try:
        if _stack(cloudformation, name) is None:
            cloudformation.create_stack(**request)
        else:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    stack = _settled(cloudformation, name)
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return Standing(
        prepared,
        {p["ParameterKey"]: p["ParameterValue"] for p in stack.get("Parameters", [])},
        {r["LogicalResourceId"]: r.get("PhysicalResourceId", "") for r in resources},
        {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
    )


def _settled(cloudformation: Any, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 300
    while (stack := _stack(cloudformation, name) or {"StackStatus": "gone"})["StackStatus"].endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeployFailed(f"stack {name} is still {stack['StackStatus']} after 300 s")
        time.sleep(0.05)
    if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeployFailed(f"stack {name} is {stack['StackStatus']}:\n{_failures(cloudformation, name)}")
    return stack


def _with_defaults(prepared: Prepared, given: dict[str, str]) -> dict[str, str]:
    declared = prepared.template.get("Parameters", {})
    return {name: str(given.get(name, entry.get("Default", ""))) for name, entry in declared.items()}


def _given(prepared: Prepared, parameters: Mapping[str, str]) -> dict[str, str]:
    declared = prepared.template.get("Parameters", {})
    missing = [name for name, entry in declared.items() if "Default" not in entry and name not in parameters]
    if missing:
        raise DeployFailed(f"{prepared.path.name} wants parameters that the region does not know: {missing}")
    return {name: value for name, value in parameters.items() if name in declared}


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if stack["StackName"] == name and stack["StackStatus"] != "DELETE_COMPLETE":
                return dict(stack)
    return None


def _failures(cloudformation: Any, name: str) -> str:
    lines = [
        f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
        for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
    ]
    return "\n".join(lines) or "  (no reason given)"


def functions(client: Clients, stacks: list[Standing]) -> dict[str, Function]:
    """What the functions host must know, as the deployed stacks say it."""
    api = client("lambda")
    config = {
        f["FunctionName"]: f for page in api.get_paginator("list_functions").paginate() for f in page["Functions"]
    }
    streams: dict[str, list[StreamSource]] = {}
    for mapping in api.list_event_source_mappings()["EventSourceMappings"]:
        if ":dynamodb:" in mapping["EventSourceArn"]:
            streams.setdefault(mapping["FunctionArn"].split(":")[6], []).append(_stream(mapping))
    result = {}
    for stack in stacks:
        for logical, source in stack.prepared.functions.items():
            name = stack.physical.get(logical)
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
                on_failure=_on_failure(api, name),
            )
    return result


def _on_failure(api: Any, name: str) -> str | None:
    for config in api.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]:
        destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination and ":sqs:" in destination:
            return str(destination)
    return None


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
