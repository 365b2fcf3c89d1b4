"""Resource policies: who reaches buckets, queues, the key and the repository without being a role of ours, and when."""

from collections.abc import Mapping

import pytest

from tests.infrastructure.iam import Request, Statement, decide, read
from tests.infrastructure.policies import ROOT, attached, may, verdict
from tests.infrastructure.probes import GRAVE, HERE, PREFIXES, actions, places, rights
from tests.support.stacks import ACCOUNT, stack

pytestmark = pytest.mark.part("ADM-7")

STRANGER = "arn:aws:iam::111122223333:root"
OURS = f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"
THEIRS = "arn:aws:cloudfront::111122223333:distribution/E1"
BUCKETS = sorted(PREFIXES)
RULES = f"arn:aws:events:{HERE}:rule"
RULE_OF = {
    "mail": f"{RULES}/snapforge-dev/snapforge-dev-mail",
    "variants": f"{RULES}/snapforge-dev/snapforge-dev-variants",
    "preflights": f"{RULES}/snapforge-dev/snapforge-dev-preflights",
    "uploaded": f"{RULES}/snapforge-dev-uploaded",
    "batch-states": f"{RULES}/snapforge-dev-batch-states",
    "billing-failures": f"{RULES}/snapforge-dev/snapforge-dev-user-signed-up",
}
"""The rule that feeds each queue that EventBridge writes to."""


def allowed(who: str, context: Mapping[str, str]) -> set[tuple[str, str]]:
    """All (action, place) that somebody may."""
    return {
        (action.partition(":")[2], place)
        for place, arn in places().items()
        for action in actions().get(arn.split(":")[2], [])
        if may(who, action, arn, context)
    }


class TestTls:
    @pytest.mark.parametrize("action", ["GetObject", "PutObject", "DeleteObject", "ListBucket", "PutBucketPolicy"])
    @pytest.mark.parametrize("bucket", BUCKETS)
    def test_a_bucket_answers_by_tls_only(self, bucket: str, action: str) -> None:
        """Whoever asks, and whatever their own policy says: denied without TLS, and by TLS not denied by this."""
        at = f"arn:aws:s3:::snapforge-dev-{bucket}-{ACCOUNT}"
        resources = [at] if "Bucket" in action else [f"{at}/{prefix}/one" for prefix in PREFIXES[bucket]]
        for resource in resources:
            for who in (ROOT, "worker", "jobs/settle_job", "cloudfront.amazonaws.com", STRANGER, "anonymous"):
                plain, by_tls = (
                    verdict(who, f"s3:{action}", resource, {"aws:SecureTransport": tls, "aws:SourceArn": OURS})
                    for tls in ("false", "true")
                )
                assert plain == "Deny", who
                assert by_tls != "Deny", who

    def test_every_policy_that_speaks_of_tls_is_asked_above(self) -> None:
        """A queue that comes to have such a statement wants a test as well."""
        speaking = {arn for arn, said in attached().items() if any(map(_about_tls, said))}
        assert speaking == {f"arn:aws:s3:::snapforge-dev-{bucket}-{ACCOUNT}" for bucket in BUCKETS}


def _about_tls(statement: Statement) -> bool:
    return any(key.lower() == "aws:securetransport" for _, key, _ in statement.conditions)


class TestCloudFront:
    def test_a_distribution_of_ours_reads_deliveries_and_the_web_app(self) -> None:
        """And neither photos, nor runs, nor LoRAs, nor anything else; it writes nothing."""
        assert allowed("cloudfront.amazonaws.com", {"aws:SourceArn": OURS, "aws:SourceAccount": ACCOUNT}) == {
            ("GetObject", "object assets/assets"),
            ("GetObject", "object web/any"),
        }

    @pytest.mark.parametrize(
        "context",
        [
            {"aws:SourceArn": THEIRS, "aws:SourceAccount": "111122223333"},
            {"aws:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:origin-access-control/E1"},
            {"aws:SourceArn": f"arn:aws:cloudfront::111122223333:x/arn:aws:cloudfront::{ACCOUNT}:distribution/E1"},
            {},
        ],
        ids=["another account's", "no distribution", "our ARN inside another", "nobody's"],
    )
    def test_any_other_reads_nothing(self, context: dict[str, str]) -> None:
        """CloudFront is one service for all accounts: the condition decides whose request it is."""
        assert allowed("cloudfront.amazonaws.com", context) == set()


class TestRules:
    @pytest.mark.parametrize("queue", RULE_OF)
    def test_a_queue_takes_events_from_its_rule(self, queue: str) -> None:
        """Or the event is lost."""
        arn = places()[f"queue {queue}"]
        assert may("events.amazonaws.com", "sqs:SendMessage", arn, {"aws:SourceArn": RULE_OF[queue]})

    @pytest.mark.parametrize("rule", sorted(RULE_OF.values()))
    def test_a_rule_reaches_no_queue_without_rules(self, rule: str) -> None:
        """Neither the tickets nor what workers report can be written by an event, and nothing is read by one."""
        reached = allowed("events.amazonaws.com", {"aws:SourceArn": rule, "aws:SourceAccount": ACCOUNT})
        assert {action for action, _ in reached} == {"SendMessage"}
        assert {place for _, place in reached} <= {f"queue {queue}" for queue in RULE_OF}

    def test_a_failure_queue_takes_nothing_from_the_other_rules(self) -> None:
        """What lies there is somebody's to look at."""
        for queue, rule in RULE_OF.items():
            theirs = allowed("events.amazonaws.com", {"aws:SourceArn": rule})
            assert (("SendMessage", "queue billing-failures") in theirs) == (queue == "billing-failures")

    @pytest.mark.parametrize(
        "context",
        [
            {"aws:SourceArn": RULE_OF["mail"].replace(ACCOUNT, "111122223333")},
            {"aws:SourceArn": RULE_OF["mail"].replace("snapforge-dev", "snapforge-prod")},
            {"aws:SourceArn": f"{RULES}/snapforge-dev/another"},
            {"aws:SourceAccount": ACCOUNT},
            {},
        ],
        ids=["another account's", "another stage's", "another rule", "no rule", "nobody's"],
    )
    def test_any_other_event_reaches_nothing(self, context: dict[str, str]) -> None:
        """EventBridge is one service for all accounts."""
        assert allowed("events.amazonaws.com", context) == set()


class TestKey:
    KEY = places()["key Key"]
    BY_SECRETS = {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}

    @pytest.mark.parametrize("who", ["jobs/create_job", "identity/log_in", "notifications/send_mail"])
    def test_secrets_manager_uses_it_for_who_may_read_the_secret(self, who: str) -> None:
        """Who may is said by IAM on the secret."""
        assert may(who, "kms:Decrypt", self.KEY, self.BY_SECRETS)

    @pytest.mark.parametrize(
        "changed",
        [
            {"kms:ViaService": "s3.eu-central-1.amazonaws.com"},
            {"kms:CallerAccount": "111122223333"},
            {"kms:ViaService": "", "kms:CallerAccount": ACCOUNT},
        ],
        ids=["by another service", "another account", "directly"],
    )
    @pytest.mark.parametrize("who", ["jobs/create_job", STRANGER, "anonymous"])
    def test_nobody_uses_it_otherwise(self, who: str, changed: dict[str, str]) -> None:
        """Not our own roles directly, and no other account at all."""
        context = {key: value for key, value in {**self.BY_SECRETS, **changed}.items() if value}
        for action in actions()["kms"]:
            assert not may(who, action, self.KEY, context), action

    @pytest.mark.parametrize("action", ["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"])
    def test_it_is_administered_by_the_account_alone(self, action: str) -> None:
        """Through IAM, which gives that to no role of ours (test_rights)."""
        assert may(ROOT, action, self.KEY)
        for who in (STRANGER, "anonymous", "jobs/create_job", "cloudwatch.amazonaws.com"):
            assert not may(who, action, self.KEY, self.BY_SECRETS | {"aws:SourceAccount": ACCOUNT}), who

    def test_alarms_of_this_account_reach_the_encrypted_topic(self) -> None:
        """CloudWatch encrypts what it publishes; another account's alarms do not."""
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert may("cloudwatch.amazonaws.com", action, self.KEY, {"aws:SourceAccount": ACCOUNT})
            assert not may("cloudwatch.amazonaws.com", action, self.KEY, {"aws:SourceAccount": "111122223333"})
            assert not may("cloudwatch.amazonaws.com", action, self.KEY)


class TestRepository:
    IMAGE = places()["repository PreflightRepository"]

    def test_lambda_pulls_the_preflights_image_for_this_account(self) -> None:
        """And for no other; it pushes nothing."""
        for action, account, answer in (
            ("ecr:BatchGetImage", ACCOUNT, True),
            ("ecr:GetDownloadUrlForLayer", ACCOUNT, True),
            ("ecr:PutImage", ACCOUNT, False),
            ("ecr:BatchGetImage", "111122223333", False),
        ):
            assert may("lambda.amazonaws.com", action, self.IMAGE, {"aws:SourceAccount": account}) is answer, action
        assert not may("lambda.amazonaws.com", "ecr:BatchGetImage", self.IMAGE)


class TestWorkersNetwork:
    """The workers reach S3 through an endpoint with a policy of its own: what they may is what both allow."""

    SAID = tuple(
        read("network.S3Endpoint", one)
        for one in stack("network").properties("S3Endpoint")["PolicyDocument"]["Statement"]
    )

    def passes(self, action: str, place: str) -> bool:
        """Whether the endpoint lets the worker's request through."""
        return decide(self.SAID, Request("worker", f"s3:{action}", places()[place])) == "Allow"

    def test_what_a_worker_may_passes_the_endpoint(self) -> None:
        """Or its role is of no use."""
        asked = {
            (action, place)
            for place, by_action in rights().items()
            for action, roles in by_action.items()
            if "worker" in roles and place.partition(" ")[0] in ("bucket", "object")
        }
        assert len(asked) > 5
        assert {one for one in asked if not self.passes(*one)} == set()

    def test_nothing_leaves_for_another_bucket(self) -> None:
        """Neither somebody else's nor another stage's."""
        for place in ("foreign bucket", "foreign object", "other stage's bucket", "other stage's object"):
            for action in actions()["s3"]:
                assert not self.passes(action.partition(":")[2], place), (action, place)


class TestStrangers:
    @pytest.mark.parametrize("who", [STRANGER, "anonymous", "s3.amazonaws.com", "sns.amazonaws.com"])
    def test_they_reach_nothing(self, who: str) -> None:
        """No bucket, queue, key or repository lets in another account or a service that has no business there."""
        assert {"s3", "sqs", "kms", "ecr"} <= GRAVE.keys()
        for context in (
            {},
            {"aws:SourceAccount": ACCOUNT},
            {"aws:SourceArn": OURS},
            {"aws:SourceArn": RULE_OF["mail"]},
        ):
            assert allowed(who, context) == set()

    def test_every_resource_policy_is_known(self) -> None:
        """A new one wants its questions above."""
        kinds: dict[str, int] = {}
        for arn in attached():
            kinds[arn.split(":")[2]] = kinds.get(arn.split(":")[2], 0) + 1
        assert kinds == {"s3": len(BUCKETS), "sqs": len(RULE_OF), "kms": 1, "ecr": 1}
