"""Everything that a policy could reach, and everything that could be done to it: what the tests of rights ask about."""

from collections import defaultdict
from functools import cache
from typing import Any

from tests.infrastructure import policies
from tests.support.stacks import ACCOUNT, REGION, of_type, stacks
from tests.support.templates import functions

HERE = f"{REGION}:{ACCOUNT}"
PREFIXES = {
    "assets": ("assets", "loras", "photos", "runs", "other"),
    "uploads": ("incoming", "originals", "other"),
    "weights": ("any",),
    "web": ("any",),
    "logs": ("any",),
}
"""The key prefixes of each bucket that the code writes below, and one that it does not."""
GRAVE = {
    "s3": ("DeleteBucket", "DeleteObjectVersion", "GetObjectVersion", "PutBucketPolicy", "PutObjectAcl"),
    "dynamodb": ("BatchWriteItem", "DeleteTable", "PartiQLDelete", "PartiQLSelect", "PartiQLUpdate", "Scan"),
    "sqs": ("PurgeQueue", "SetQueueAttributes"),
    "secretsmanager": ("DeleteSecret", "PutSecretValue"),
    "kms": ("CreateGrant", "Decrypt", "Encrypt", "PutKeyPolicy", "ScheduleKeyDeletion"),
    "lambda": ("InvokeFunction", "UpdateFunctionCode"),
    "iam": ("AttachRolePolicy", "PassRole", "PutRolePolicy"),
    "sns": ("Publish",),
    "ecr": ("BatchGetImage", "PutImage"),
    "events": ("PutRule",),
    "states": ("StopExecution",),
}  # fmt: skip
"""What nobody or hardly anybody is granted, by service; asked for as well as all that is granted somewhere."""

OF_TABLES = {"dynamodb:DescribeTable"}
"""What can be asked of a table and never of its streams and indexes, whose ARNs begin with the table's."""

UNKNOWN_CALLERS = {"get_catalogue", "get_health", "get_deep_health"}
"""Endpoints that ask nobody who they are."""
ENDPOINTS = {each.file.stem for each in functions() if each.routes} - UNKNOWN_CALLERS


@cache
def actions() -> dict[str, list[str]]:
    """By service, every action that is asked about."""
    found = defaultdict(set, {service: {f"{service}:{name}" for name in names} for service, names in GRAVE.items()})
    for held in policies.roles().values():
        for statement in held:
            for action in statement.actions:
                if not {"*", "?"} & set(action):
                    found[action.partition(":")[0]].add(action)
    return {service: sorted(names) for service, names in found.items()}


@cache
def places() -> dict[str, str]:
    """A short name of every table, index, stream, bucket, prefix, queue, secret … and of others', with its ARN."""
    found = {
        "any": "arn:aws:any:::any",  # Only `*` covers it.
        "bus": f"arn:aws:events:{HERE}:event-bus/snapforge-dev",
        "default bus": f"arn:aws:events:{HERE}:event-bus/default",
        "execution": f"arn:aws:states:{HERE}:execution:snapforge-dev-render:one",
        "batch job": f"arn:aws:batch:{HERE}:job/one",
        "mail identity": f"arn:aws:ses:{HERE}:identity/snapforge.example",
        "foreign identity": f"arn:aws:ses:{HERE}:identity/example.org",
        "mail configuration": f"arn:aws:ses:{HERE}:configuration-set/snapforge-dev",
        "foreign role": f"arn:aws:iam::{ACCOUNT}:role/administrator",
    }
    for service, form in _FORMS.items():
        found[f"foreign {service}"] = form.format("somebody-elses")
        found[f"other stage's {service}"] = form.format("snapforge-prod-jobs")
    return found | _tables() | _buckets() | _ours()


_FORMS = {
    "table": f"arn:aws:dynamodb:{HERE}:table/{{}}",
    "bucket": "arn:aws:s3:::{}",
    "object": "arn:aws:s3:::{}/runs/one",
    "queue": f"arn:aws:sqs:{HERE}:{{}}",
    "secret": f"arn:aws:secretsmanager:{HERE}:secret:{{}}-AbCdEf",
    "function": f"arn:aws:lambda:{HERE}:function:{{}}:live",
    "state machine": f"arn:aws:states:{HERE}:stateMachine:{{}}",
    "batch queue": f"arn:aws:batch:{HERE}:job-queue/{{}}",
    "batch definition": f"arn:aws:batch:{HERE}:job-definition/{{}}:1",
}


def short(name: Any) -> str:
    """`snapforge-dev-jobs` → `jobs`."""
    return str(name).removeprefix("snapforge-dev-").removeprefix("snapforge/dev/").removesuffix(f"-{ACCOUNT}")


def _tables() -> dict[str, str]:
    found = {}
    for table in of_type("AWS::DynamoDB::Table").values():
        name, arn = short(table["TableName"]), _FORMS["table"].format(table["TableName"])
        found[f"table {name}"] = arn
        found[f"stream {name}"] = f"{arn}/stream/2026-01-01T00:00:00.000"
        for index in table.get("GlobalSecondaryIndexes", []):
            found[f"index {name}/{index['IndexName']}"] = f"{arn}/index/{index['IndexName']}"
    return found


def _buckets() -> dict[str, str]:
    found = {}
    for bucket in of_type("AWS::S3::Bucket").values():
        name = short(bucket["BucketName"])
        found[f"bucket {name}"] = f"arn:aws:s3:::{bucket['BucketName']}"
        for prefix in PREFIXES[name]:
            found[f"object {name}/{prefix}"] = f"arn:aws:s3:::{bucket['BucketName']}/{prefix}/one"
    return found


def _ours() -> dict[str, str]:
    """All the rest of what our stacks make and a policy could name."""
    found = {}
    for label, kind, key in (
        ("queue", "AWS::SQS::Queue", "QueueName"),
        ("secret", "AWS::SecretsManager::Secret", "Name"),
        ("function", "AWS::Serverless::Function", "FunctionName"),
        ("state machine", "AWS::Serverless::StateMachine", "Name"),
        ("batch queue", "AWS::Batch::JobQueue", "JobQueueName"),
        ("batch definition", "AWS::Batch::JobDefinition", "JobDefinitionName"),
    ):
        for resource in of_type(kind).values():
            found[f"{label} {short(resource[key])}"] = _FORMS[label].format(resource[key])
    for each in stacks():
        for kind in ("AWS::KMS::Key", "AWS::SNS::Topic", "AWS::ECR::Repository"):
            for logical_id in each.template.of_type(kind):
                found[f"{kind.split(':')[-1].lower()} {logical_id}"] = each.arn(logical_id)
    return found


@cache
def rights() -> dict[str, dict[str, set[str]]]:
    """Place → action → the roles that may, by TLS and without any other context.

    What a role may do on `any`, it may do everywhere: that is not told again of each place.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for role in policies.roles():
        short_role = role.rpartition("/")[2]
        open_ones = {a for names in actions().values() for a in names if policies.may(role, a, places()["any"])}
        for action in open_ones:
            found["any"][action].add(short_role)
        for place, arn in places().items():
            service = arn.split(":")[2]
            elsewhere = set() if place.startswith(("table", "foreign", "other")) else OF_TABLES
            for action in set(actions().get(service, [])) - open_ones - elsewhere:
                if policies.may(role, action, arn):
                    found[place][action.partition(":")[2]].add(short_role)
    return {place: dict(by_action) for place, by_action in found.items()}
