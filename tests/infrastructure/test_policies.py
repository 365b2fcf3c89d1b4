"""The judge of recorded calls: what the local region saw functions and workers do, held against their policies."""

import pytest

from tests.infrastructure.policies import denied
from tests.support.stacks import Unresolved, stack

pytestmark = pytest.mark.part("ADM-7")


def call(who: str, action: str, resource: str) -> dict[str, str]:
    """A line of the recorder; `action` is `service:Action`."""
    service, _, name = action.partition(":")
    return {"who": who, "service": service, "action": name, "resource": resource}


CREATE = "FN_snapforge_dev_create_job"


class TestDenied:
    @pytest.mark.parametrize(
        ("who", "action", "resource"),
        [
            (CREATE, "dynamodb:PutItem", "snapforge-dev-ledger"),
            (CREATE, "secretsmanager:GetSecretValue", "snapforge/dev/quote-key"),
            ("FN_snapforge_dev_expire_grants", "dynamodb:Query", "snapforge-dev-billing/index/due"),
            ("FN_snapforge_dev_dispatch_job", "batch:SubmitJob", "snapforge-dev-standard snapforge-dev-scene"),
            ("FN_snapforge_dev_send_mail", "ses:SendEmail", "*"),
            ("FN_snapforge_dev_on_report", "states:SendTaskSuccess", "*"),
            ("FN_snapforge_dev_sweep_jobs", "batch:DescribeJobs", "*"),
            ("JOB_worker", "s3:PutObject", "snapforge-dev-assets-000000000000/runs/job_x/1/1/result.json"),
            ("JOB_worker", "sqs:SendMessage", "snapforge-dev-reports"),
        ],
    )
    def test_what_the_code_does_is_allowed(self, who: str, action: str, resource: str) -> None:
        """One call of each kind that the system lives by."""
        assert denied([call(who, action, resource)]) == set()

    @pytest.mark.parametrize(
        ("who", "action", "resource"),
        [
            (CREATE, "dynamodb:UpdateItem", "snapforge-dev-ledger"),
            (CREATE, "dynamodb:DeleteItem", "snapforge-dev-jobs"),
            (CREATE, "dynamodb:Scan", "snapforge-dev-jobs"),
            (CREATE, "batch:SubmitJob", "snapforge-dev-standard snapforge-dev-scene"),
            (CREATE, "secretsmanager:GetSecretValue", "snapforge/dev/first-session-key"),
            ("FN_snapforge_dev_expire_grants", "dynamodb:Query", "snapforge-dev-billing"),
            ("FN_snapforge_dev_dispatch_job", "batch:SubmitJob", "other-queue snapforge-dev-scene"),
            ("FN_snapforge_dev_presign_upload", "s3:PutObject", "snapforge-dev-uploads-000000000000/originals/x"),
            ("FN_snapforge_dev_get_balance", "events:PutEvents", "snapforge-dev"),
            ("JOB_worker", "s3:PutObject", "snapforge-dev-assets-000000000000/assets/ab/abc.png"),
            ("JOB_worker", "s3:GetObject", "snapforge-dev-uploads-000000000000/originals/org/upl"),
            ("JOB_worker", "dynamodb:GetItem", "snapforge-dev-jobs"),
        ],
    )
    def test_what_it_must_not_do_is_named(self, who: str, action: str, resource: str) -> None:
        """Each is told with its caller and action."""
        found = denied([call(who, action, resource)])
        assert {(one[0], one[1]) for one in found} == {(who, action)}

    def test_customers_are_not_judged(self) -> None:
        """Who comes with a presigned address has its signer's rights."""
        assert (
            denied([call("anonymous", "s3:PutObject", "snapforge-dev-uploads-000000000000/incoming/org/upl")]) == set()
        )

    def test_an_unknown_caller_is_an_error(self) -> None:
        """A function that no template declares has no policy to look at."""
        with pytest.raises(KeyError):
            denied([call("FN_snapforge_dev_nobody", "s3:GetObject", "x/y")])


class TestStacks:
    def test_parameters_reach_nested_stacks_and_references_other_stacks(self) -> None:
        """A stream is found by the SSM parameter that the foundation notes, a subnet by an output of its stack."""
        assert (
            stack("workflow")
            .parameters["Stream"]
            .startswith("arn:aws:dynamodb:eu-central-1:000000000000:table/snapforge-dev-jobs/stream/")
        )
        assert len(stack("gpu").parameters["Subnets"].split(",")) == 3
        assert stack("workers").parameters["MaxImageWorkers"] == 8

    @pytest.mark.parametrize(
        ("value", "resolved"),
        [
            ({"Ref": "Stage"}, "dev"),
            ({"Ref": "Bus"}, "snapforge-dev"),
            ({"Fn::GetAtt": ["Bus", "Arn"]}, "arn:aws:events:eu-central-1:000000000000:event-bus/snapforge-dev"),
            ({"Fn::Sub": "${Key.Arn}/${!x}"}, "arn:aws:kms:eu-central-1:000000000000:key/platform.Key/${x}"),
            ({"Fn::Sub": ["${A}-${Stage}", {"A": {"Ref": "AWS::Region"}}]}, "eu-central-1-dev"),
            ({"Fn::If": ["AlarmsAreMailed", 1, {"Ref": "AWS::NoValue"}]}, None),
            ([{"Fn::If": ["EdgeIsElsewhere", "a", "b"]}, {"Ref": "AWS::NoValue"}], ["a"]),
            ({"Fn::Join": ["/", [{"Fn::Select": [1, ["a", "b"]]}, "c"]]}, "b/c"),
        ],
        ids=str,
    )
    def test_each_function(self, value: object, resolved: object) -> None:
        """As CloudFormation would; what becomes no value is left out of what holds it."""
        assert stack("platform").resolve({"Key": value}) == ({} if resolved is None else {"Key": resolved})

    @pytest.mark.parametrize("value", [{"Ref": "Nobody"}, {"Fn::Cidr": ["10.0.0.0/8", 1, 8]}, {"Fn::Sub": "${Nobody}"}])
    def test_what_it_does_not_know_is_an_error(self, value: object) -> None:
        """Nothing that a policy names is guessed."""
        with pytest.raises(Unresolved):
            stack("platform").resolve(value)
