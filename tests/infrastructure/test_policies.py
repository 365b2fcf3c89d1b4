"""The judge of recorded calls: what the local region saw functions and workers do, held against their policies."""

import pytest

from tests.infrastructure.policies import denied

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
