"""Buckets, queues and keys, by what their policies let through: requests are judged, not texts compared."""

from typing import Any

import pytest

from tests.infrastructure.policies import fill
from tests.infrastructure.resource_policies import DOCUMENTS, NAMES, Asked, resolve, verdict
from tests.infrastructure.templates import Template, everything, template, templates, text

pytestmark = pytest.mark.part("ADM-7")

ACCOUNT, OTHER = "000000000000", "111111111111"
CLOUDFRONT, EVENTS = "cloudfront.amazonaws.com", "events.amazonaws.com"
SOMEBODY = "arn:aws:iam::111111111111:user/somebody"
OURS = f"arn:aws:iam::{ACCOUNT}:root"
NO_ACCESS = {
    "AWS::IAM::ManagedPolicy",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::Batch::SchedulingPolicy",
}
"""Called policies, and not of a resource that others reach."""
RULES = f"arn:aws:events:eu-central-1:{ACCOUNT}:rule"


def policies(kind: str) -> list[tuple[Template, str]]:
    """All policies of one type."""
    return [(each, name) for each in templates() for name, found in each.resources.items() if found["Type"] == kind]


def bucket_of(each: Template, policy: str) -> str:
    """The bucket's ARN."""
    return resolve(each, {"Fn::GetAtt": [each.resources[policy]["Properties"]["Bucket"]["Ref"], "Arn"]})


def distribution(account: str) -> dict[str, str]:
    """CloudFront's context for a distribution of an account."""
    return {"aws:SourceArn": f"arn:aws:cloudfront::{account}:distribution/E1", "aws:SecureTransport": "true"}


class TestEveryPolicy:
    def test_all_kinds_are_known(self) -> None:
        """A new kind of resource policy is to be judged here as well."""
        judged = {(each.name, name) for kind in DOCUMENTS for each, name in policies(kind)}
        there = {
            (each.name, name)
            for each in templates()
            for name, found in each.resources.items()
            if found["Type"].endswith("Policy") and found["Type"] not in NO_ACCESS
        }
        assert there | {("platform", "Key")} == judged

    @pytest.mark.parametrize("kind", DOCUMENTS)
    def test_nobody_of_another_account_gets_in_anywhere(self, kind: str) -> None:
        found = policies(kind)
        for each, name in found:
            for action in ("s3:GetObject", "sqs:SendMessage", "sns:Publish", "kms:Decrypt"):
                for resource in resources(each, name):
                    secure = {"aws:SecureTransport": "true", "kms:CallerAccount": OTHER, "aws:SourceAccount": OTHER}
                    assert verdict(each, name, Asked(SOMEBODY, action, resource, secure)) != "allowed"
        assert found


def resources(each: Template, name: str) -> list[str]:
    """An ARN for every resource that a policy names, with a path below buckets."""
    kind = each.resources[name]["Type"]
    if kind == "AWS::KMS::Key":
        return ["*"]
    found = [
        resolve(each, {"Fn::GetAtt": [other, "Arn"]}) for other, one in each.resources.items() if one["Type"] in NAMES
    ]
    return [*found, *(f"{one}/assets/a/b" for one in found)]


class TestBuckets:
    @pytest.mark.parametrize(
        ("each", "name"), policies("AWS::S3::BucketPolicy"), ids=lambda value: getattr(value, "name", value)
    )
    @pytest.mark.parametrize("principal", [SOMEBODY, OURS, CLOUDFRONT])
    def test_without_tls_nobody_does_anything(self, each: Template, name: str, principal: str) -> None:
        bucket = bucket_of(each, name)
        for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"):
            for resource in (bucket, f"{bucket}/a/b"):
                plain = distribution(ACCOUNT) | {"aws:SecureTransport": "false"}
                assert verdict(each, name, Asked(principal, action, resource, plain)) == "denied"
                secure = {"aws:SecureTransport": "true"}
                assert verdict(each, name, Asked(principal, action, resource, secure)) == "silent"

    def test_every_bucket_has_such_a_policy(self) -> None:
        guarded = {bucket_of(each, name) for each, name in policies("AWS::S3::BucketPolicy")}
        there = {
            f"arn:aws:s3:::{fill(text(found['Properties']['BucketName']))}"
            for found in everything("AWS::S3::Bucket").values()
        }
        assert guarded == there
        assert len(there) >= 5

    @pytest.mark.part("AST-4")
    @pytest.mark.parametrize(("policy", "readable"), [("AssetsForTheEdge", "assets/ab/x.png"), ("WebForTheEdge", "x")])
    def test_cloudfront_of_this_account_reads_deliveries(self, policy: str, readable: str) -> None:
        data = template("data")
        bucket = bucket_of(data, policy)
        for account, said in ((ACCOUNT, "allowed"), (OTHER, "silent")):
            asked = Asked(CLOUDFRONT, "s3:GetObject", f"{bucket}/{readable}", distribution(account))
            assert verdict(data, policy, asked) == said
        nobodys = Asked(CLOUDFRONT, "s3:GetObject", f"{bucket}/{readable}", {"aws:SecureTransport": "true"})
        assert verdict(data, policy, nobodys) == "silent"
        for action in ("s3:PutObject", "s3:DeleteObject", "s3:ListBucket"):
            asked = Asked(CLOUDFRONT, action, f"{bucket}/{readable}", distribution(ACCOUNT))
            assert verdict(data, policy, asked) == "silent"

    @pytest.mark.part("AST-4")
    @pytest.mark.parametrize("key", ["runs/job/1/1/result.json", "photos/org/x.jpg", "loras/x/0001.safetensors", "x"])
    def test_cloudfront_reads_nothing_else_of_the_assets(self, key: str) -> None:
        data = template("data")
        asked = Asked(CLOUDFRONT, "s3:GetObject", f"{bucket_of(data, 'AssetsForTheEdge')}/{key}", distribution(ACCOUNT))
        assert verdict(data, "AssetsForTheEdge", asked) == "silent"

    def test_cloudfront_reads_no_other_bucket(self) -> None:
        looked = 0
        for each, name in policies("AWS::S3::BucketPolicy"):
            if name not in {"AssetsForTheEdge", "WebForTheEdge"}:
                asked = Asked(CLOUDFRONT, "s3:GetObject", f"{bucket_of(each, name)}/assets/a", distribution(ACCOUNT))
                assert verdict(each, name, asked) == "silent"
                looked += 1
        assert looked >= 3


class TestQueues:
    def test_a_rule_puts_events_on_its_own_queues_only_by_its_own_name(self) -> None:
        """For each rule that feeds a queue: let through; a rule of another name or account: not."""
        platform, looked = template("platform"), 0
        for rule in everything("AWS::Events::Rule").values():
            properties = rule["Properties"]
            bus = f"{fill(text(properties['EventBusName']))}/" if "EventBusName" in properties else ""
            for target in properties["Targets"]:
                queue = fill(text(target["Arn"]))
                if ":sqs:" not in queue:
                    continue
                looked += 1
                for source, said in (
                    (f"{RULES}/{bus}{fill(text(properties['Name']))}", "allowed"),
                    (f"{RULES}/{bus}another", "silent"),
                    (f"{RULES}/{bus}{fill(text(properties['Name']))}".replace(ACCOUNT, OTHER), "silent"),
                ):
                    asked = Asked(EVENTS, "sqs:SendMessage", queue, {"aws:SourceArn": source})
                    assert verdict(platform, "RulesMaySend", asked) == said
        assert looked >= 5

    def test_nothing_else_is_sent_there(self) -> None:
        platform = template("platform")
        mail = resolve(platform, {"Fn::GetAtt": ["MailQueue", "Arn"]})
        good = {"aws:SourceArn": f"{RULES}/snapforge-dev/snapforge-dev-mail"}
        assert verdict(platform, "RulesMaySend", Asked(EVENTS, "sqs:SendMessage", mail, good)) == "allowed"
        for principal, action in ((SOMEBODY, "sqs:SendMessage"), (EVENTS, "sqs:ReceiveMessage"), (EVENTS, "sqs:Purge")):
            assert verdict(platform, "RulesMaySend", Asked(principal, action, mail, good)) == "silent"
        reports = resolve(platform, {"Fn::GetAtt": ["ReportsQueue", "Arn"]})
        assert verdict(platform, "RulesMaySend", Asked(EVENTS, "sqs:SendMessage", reports, good)) == "silent"


QUEUES = {name: found["Properties"] for name, found in template("platform").of_type("AWS::SQS::Queue").items()}
FED = {name: found for name, found in QUEUES.items() if "RedrivePolicy" in found}
DEAD_LETTERS = {"ImagesRushQueue": "ImagesDead", "ImagesStandardQueue": "ImagesDead", "ImagesBulkQueue": "ImagesDead"}
DEAD_LETTERS["ImagesDead"] = "JobsFailures"
"""Where a queue's dead letters go that is not `<Name>Dlq`."""
TRIES = {"PreflightsQueue": 2}
"""How often a message is tried, where it is not five times. A pre-flight is asked for again by the next preview."""


class TestDeadLetters:
    @pytest.mark.parametrize("name", FED)
    def test_each_queue_parks_what_fails_in_its_own_dead_letters(self, name: str) -> None:
        redrive: dict[str, Any] = FED[name]["RedrivePolicy"]
        wanted = DEAD_LETTERS.get(name, name.removesuffix("Queue") + "Dlq")
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [wanted, "Arn"]}
        assert wanted in QUEUES

    @pytest.mark.parametrize("name", FED)
    def test_a_message_is_tried_as_often_as_the_code_says(self, name: str) -> None:
        """One try would park every message of a machine that is being replaced."""
        assert FED[name]["RedrivePolicy"]["maxReceiveCount"] == TRIES.get(name, 5)

    @pytest.mark.parametrize("name", FED)
    def test_dead_letters_are_kept_at_least_as_long(self, name: str) -> None:
        """A message's age goes on counting there."""
        target = QUEUES[FED[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        assert target["MessageRetentionPeriod"] > FED[name]["MessageRetentionPeriod"]

    def test_there_are_queues(self) -> None:
        assert len(FED) >= 9


class TestKey:
    def test_secrets_are_decrypted_for_this_account_through_secrets_manager_only(self) -> None:
        platform = template("platform")
        via = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}
        role = f"arn:aws:iam::{ACCOUNT}:role/any"
        assert verdict(platform, "Key", Asked(role, "kms:Decrypt", "*", via)) == "allowed"
        for context in (
            via | {"kms:CallerAccount": OTHER},
            via | {"kms:ViaService": "s3.eu-central-1.amazonaws.com"},
            {"kms:CallerAccount": ACCOUNT},
            {},
        ):
            assert verdict(platform, "Key", Asked(role, "kms:Decrypt", "*", context)) == "silent"
        assert verdict(platform, "Key", Asked(role, "kms:ScheduleKeyDeletion", "*", via)) == "silent"


class TestTheJudge:
    """What it does not understand is an error, never a pass."""

    @staticmethod
    def judged(**changes: Any) -> str:
        """The verdict of a policy of one statement."""
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::b/*",
            "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
        } | changes
        body = {"Resources": {"P": {"Type": "AWS::S3::BucketPolicy", "Properties": {}}}}
        body["Resources"]["P"]["Properties"] = {"PolicyDocument": {"Statement": [statement]}}
        made = Template(template("data").path, "foundation", body)
        return verdict(made, "P", Asked("x", "s3:GetObject", "arn:aws:s3:::b/k", {"aws:sourceaccount": "1"}))

    def test_it_allows_denies_and_is_silent(self) -> None:
        assert self.judged() == "allowed"
        assert self.judged(Effect="Deny") == "denied"
        assert self.judged(Condition={"StringEquals": {"aws:SourceAccount": "2"}}) == "silent"
        assert self.judged(Condition={"StringEquals": {"aws:absent": "1"}}) == "silent"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Condition": {"NumericLessThan": {"aws:SourceAccount": "2"}}},
            {"Principal": {"Federated": "x"}},
            {"NotAction": "s3:PutObject"},
            {"Resource": {"Fn::Join": ["", ["a"]]}},
            {"Resource": {"Fn::Sub": "arn:aws:s3:::${Unknown}"}},
        ],
    )
    def test_what_is_new_is_an_error(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="understood"):
            self.judged(**changes)
