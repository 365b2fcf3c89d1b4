"""Every function and worker may do what its code does, on what it does it to, and nothing more."""

import re

import pytest

from tests.infrastructure import policies, probes
from tests.infrastructure.probes import ENDPOINTS
from tests.infrastructure.test_rights import needed
from tests.support.stacks import stack
from tests.support.templates import Function, everything, functions, templates

pytestmark = pytest.mark.part("ADM-7")

WIDE = {
    "dynamodb:ListStreams": "has no resource of its own",
    "batch:DescribeJobs": "has no resource of its own",
    "batch:ListJobs": "has no resource of its own",
    "batch:DescribeJobQueues": "has no resource of its own",
    "ses:GetAccount": "has no resource of its own",
    "batch:TerminateJob": "job ids are Batch's: the ARN says `job/*`",
    "batch:TagResource": "job ids are Batch's: the ARN says `job/*`",
    "logs:CreateLogDelivery": "vended logs know no narrower resource",
    "logs:GetLogDelivery": "the same",
    "logs:UpdateLogDelivery": "the same",
    "logs:DeleteLogDelivery": "the same",
    "logs:ListLogDeliveries": "the same",
    "logs:PutResourcePolicy": "the same",
    "logs:DescribeResourcePolicies": "the same",
    "logs:DescribeLogGroups": "the same",
}
"""Actions that may stand on `*` or on everybody's resources, and why."""

EDITS = [
    f"dynamodb:{action}"
    for action in (
        "UpdateItem",
        "DeleteItem",
        "BatchWriteItem",
        "PartiQLUpdate",
        "PartiQLDelete",
        "DeleteTable",
        "UpdateTable",
    )
]
LEDGER = probes.places()["table ledger"]
POSTING = {one.place for one in functions() if one.file.stem in needed("table ledger")["PutItem"]}
"""Who may append a journal: the list of rights has it."""


class TestActions:
    def test_there_are_statements(self) -> None:
        """The tests below must not be empty."""
        assert len(policies.everywhere()) > 100

    def test_no_action_is_a_pattern(self) -> None:
        """`dynamodb:*` grants what nobody has thought of."""
        open_ones = {(s.where, a) for s in policies.everywhere() for a in s.actions if "*" in a or "?" in a}
        assert open_ones == set()

    def test_nothing_is_allowed_by_exception(self) -> None:
        """NotAction and NotResource allow all the rest."""
        found = [(each.name, one) for each in templates() for one in policies.statements(each.resources)]
        assert len(found) > 100
        assert [name for name, one in found if {"NotAction", "NotResource", "NotPrincipal"} & one.keys()] == []

    def test_iam_itself_is_out_of_reach(self) -> None:
        """No role here can give itself more, by a statement or by a pattern that covers it."""
        assert len(policies.roles()) > 50
        assert not [
            (role, action, place)
            for role in policies.roles()
            for action in probes.actions()["iam"]
            for place in ("any", "foreign role")
            if policies.may(role, action, probes.places()[place])
        ]
        reached = {(s.where, a) for s in policies.everywhere() for a in s.actions if a.split(":")[0] in ("iam", "sts")}
        assert reached == set()


class TestResources:
    def test_every_resource_is_ours(self) -> None:
        """A `*` before our own name reaches into other systems of the account; the exceptions have reasons."""
        found = {
            (statement.where, action, resource)
            for statement in policies.everywhere()
            for resource in statement.resources
            if policies.wildcard(resource) or resource == "*"
            for action in statement.actions
            if action not in WIDE
        }
        assert found == set()

    def test_no_exception_is_left_over(self) -> None:
        """An exception that nobody needs is a hole waiting."""
        used = {
            action
            for s in policies.everywhere()
            for action in s.actions
            if any(r == "*" or policies.wildcard(r) for r in s.resources)
        }
        assert set(WIDE) - used == set()

    def test_public_principals_are_bound_by_conditions(self) -> None:
        """A resource policy that allows `*` or a service says whose request it must be."""
        loose, seen = [], 0
        for each in templates():
            for name, resource in each.resources.items():
                for statement in policies.statements(resource):
                    principal = statement.get("Principal", {})
                    service = principal.get("Service") if isinstance(principal, dict) else None
                    everyone = principal == "*" or principal == {"AWS": "*"}
                    assumed = statement["Action"] == "sts:AssumeRole"
                    endpoint = resource["Type"] == "AWS::EC2::VPCEndpoint"
                    if statement["Effect"] == "Allow" and (everyone or service) and not assumed and not endpoint:
                        seen += 1
                        loose += [f"{each.name}.{name}"] if "Condition" not in statement else []
        assert seen >= 11
        assert loose == []


class TestFunctions:
    @pytest.mark.parametrize("function", functions(), ids=lambda function: function.logical_id)
    def test_it_has_policies_of_its_own_only(self, function: Function) -> None:
        """No AWS managed policy, no SAM policy template, no shared role: statements, or a managed policy of ours."""
        assert "Role" not in function.properties
        for policy in stack(function.template.name).resolve(function.properties["Policies"]):
            own = isinstance(policy, dict) and set(policy) == {"Statement"}
            assert own or policy in policies.managed(), policy

    @pytest.mark.parametrize(
        ("policy", "those"),
        [
            ("endpoint", ENDPOINTS),
            ("ordering", {"create_job", "retry_job", "preview_job", "get_preview"}),
            ("start-workers", {"keep_workers", "on_worker_ended"}),
            ("delivery", needed("secret delivery-key")["GetSecretValue"]),
        ],
    )
    def test_a_managed_policy_is_for_those_who_need_all_of_it(self, policy: str, those: set[str]) -> None:
        """What is written once is not given to more functions for that (each single right: test_rights)."""
        arn = f"arn:aws:iam::000000000000:policy/snapforge-dev-{policy}"
        attached = {
            function.file.stem
            for function in functions()
            if arn in stack(function.template.name).resolve(function.properties["Policies"])
        }
        assert attached == those
        assert len(policies.managed()) >= 4

    @pytest.mark.parametrize("function", functions(), ids=lambda function: function.logical_id)
    def test_its_triggers_do_not_widen_them(self, function: Function) -> None:
        """SAM gives functions with SQS or DynamoDB events a managed policy for all queues: mappings stand apart."""
        kinds = {event["Type"] for event in function.properties.get("Events", {}).values()}
        assert kinds <= {"HttpApi", "ScheduleV2", "EventBridgeRule"}

    def test_routes_can_authenticate(self) -> None:
        """Each function with a route reads the origin secret, or every request through the edge is a 500."""
        origin = probes.places()["secret origin"]
        routed = [f.place for f in functions() if f.routes]
        assert len(routed) > 30
        assert [place for place in routed if not policies.may(place, "secretsmanager:GetSecretValue", origin)] == []

    def test_only_uploads_are_presigned_and_only_below_incoming(self) -> None:
        """A presigned address can do what its signer can: of all buckets, endpoints write below incoming/ only."""
        objects = {place: arn for place, arn in probes.places().items() if place.partition(" ")[0] == "object"}
        assert len(objects) > 10
        written = {
            (place, function.file.stem)
            for function in functions()
            if function.routes
            for place, arn in objects.items()
            if policies.may(function.place, "s3:PutObject", arn)
        }
        assert written == {
            ("object uploads/incoming", "presign_upload"),
            ("object uploads/incoming", "complete_upload"),
        }

    def test_strangers_pictures_are_opened_without_rights_on_money_or_people(self) -> None:
        """What decodes pictures reaches neither identity nor billing nor any secret."""
        openers = [f for f in functions() if {"Ref": "MediaLayer"} in f.properties.get("Layers", [])]
        assert {f.file.stem for f in openers} == {"on_upload_arrived", "make_variants", "draw_with_provider"}
        for function in openers:
            reached = " ".join(r for s in policies.of_function(function) for r in s.resources)
            # A provider's picture is asked for with the provider's key; that is the one secret.
            secrets = {"providers"} if function.file.stem == "draw_with_provider" else set()
            assert set(re.findall(r"secret:snapforge/dev/(\w+)", reached)) == secrets
            assert not [t for t in ("identity", "billing", "ledger", "jobs") if f"snapforge-dev-{t}" in reached]

    def test_the_preflight_opens_our_own_copies_only(self) -> None:
        """It writes to the jobs table, so it reads no original: working copies were decoded and written by us."""
        preflight = next(f for f in functions() if f.file.stem == "preflight_capture")
        objects = {r for s in policies.of_function(preflight) for r in s.resources if ":s3:::" in r}
        assert [r.partition(":s3:::")[2] for r in objects] == ["snapforge-dev-assets-000000000000/photos/*"]


OBJECTS: dict[str, dict[str, set[str]]] = {
    "assets/complete_upload": {"PutObject": {"uploads/incoming/*"}},
    "assets/make_variants": {"GetObject": {"assets/assets/*"}, "PutObject": {"assets/assets/*"}},
    "assets/on_upload_arrived": {
        "DeleteObject": {"assets/photos/*", "uploads/incoming/*", "uploads/originals/*"},
        "GetObject": {"uploads/incoming/*"},
        "PutObject": {"assets/assets/*", "assets/photos/*", "uploads/originals/*"},
    },
    "assets/presign_upload": {"PutObject": {"uploads/incoming/*"}},
    "assets/sweep_uploads": {"AbortMultipartUpload": {"uploads/incoming/*"}},
    "jobs/classify_failure": {"GetObject": {"assets/runs/*"}, "PutObject": {"assets/runs/*"}},
    "jobs/dispatch_job": {"GetObject": {"assets/runs/*"}, "PutObject": {"assets/runs/*"}},
    "jobs/draw_with_provider": {"GetObject": {"assets/runs/*"}, "PutObject": {"assets/runs/*"}},
    "jobs/on_batch_state": {"GetObject": {"assets/runs/*"}},
    "jobs/on_dead_ticket": {"GetObject": {"assets/runs/*"}},
    "jobs/on_report": {"GetObject": {"assets/runs/*"}},
    "jobs/preflight_capture": {"GetObject": {"assets/photos/*"}},
    "jobs/publish_jobs_outbox": {"PutObject": {"assets/runs/*"}},
    "jobs/settle_job": {"GetObject": {"assets/runs/*"}, "PutObject": {"assets/assets/*", "assets/loras/*"}},
    "jobs/sweep_jobs": {
        "GetObject": {"assets/runs/*"},
        "PutObject": {"assets/assets/*", "assets/loras/*", "assets/runs/*"},
    },
    "loras/delete_lora": {"DeleteObjectVersion": {"assets/loras/*", "assets/runs/*"}, "ListBucketVersions": {"assets"}},
    "loras/purge_loras": {"DeleteObjectVersion": {"assets/loras/*", "assets/runs/*"}, "ListBucketVersions": {"assets"}},
}
"""Function → action → bucket and keys: all that functions do to objects. A wider key here is a decision."""


class TestObjects:
    def test_each_function_reaches_these_keys_and_no_others(self) -> None:
        """Nobody may read, write or remove outside of what its work is."""
        reached: dict[str, dict[str, set[str]]] = {}
        for function in functions():
            for statement in policies.of_function(function):
                for action in statement.actions:
                    if action.startswith("s3:") and action != "s3:ListBucket":
                        keys = {
                            r.partition(":s3:::snapforge-dev-")[2].replace("-000000000000", "")
                            for r in statement.resources
                        }
                        reached.setdefault(function.place, {}).setdefault(action[3:], set()).update(keys)
        assert reached == OBJECTS


class TestLedger:
    pytestmark = pytest.mark.part("BIL-1")

    def test_no_statement_changes_a_journal(self) -> None:
        """IAM, not code, keeps journals as they are: nobody may update or delete there."""
        able = {(role, a) for role in policies.roles() for a in EDITS if policies.may(role, a, LEDGER)}
        assert able == set()
        assert policies.may("billing/grant_credits", "dynamodb:PutItem", LEDGER)

    def test_only_these_functions_append(self) -> None:
        """Who may put a journal is a short list."""
        assert {role for role in policies.roles() if policies.may(role, "dynamodb:PutItem", LEDGER)} == POSTING

    def test_its_table_forgets_nothing(self) -> None:
        """No TTL on the ledger."""
        ledger = everything("AWS::DynamoDB::Table")["tables.LedgerTable"]["Properties"]
        assert "TimeToLiveSpecification" not in ledger


class TestWorkers:
    def test_they_reach_objects_reports_and_tickets_only(self) -> None:
        """No tables, no task tokens, no secrets; they send to `reports` only, and take from the queues of tickets."""
        assert {a for s in policies.worker() for a in s.actions} == {
            "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket",
            "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
        }  # fmt: skip
        here = "arn:aws:sqs:eu-central-1:000000000000:snapforge-dev-"
        sending = {r for s in policies.worker() if "sqs:SendMessage" in s.actions for r in s.resources}
        taking = {r for s in policies.worker() if "sqs:ReceiveMessage" in s.actions for r in s.resources}
        assert sending == {f"{here}reports"}
        assert taking == {f"{here}images-{priority}" for priority in ("rush", "standard", "bulk")}

    def test_they_write_below_runs_only(self) -> None:
        """A broken worker cannot touch what was delivered, nor the originals."""
        written = {
            r for s in policies.worker() if {"s3:PutObject", "s3:DeleteObject"} & set(s.actions) for r in s.resources
        }
        assert written == {"arn:aws:s3:::snapforge-dev-assets-000000000000/runs/*"}
        assert not [r for s in policies.worker() for r in s.resources if "-uploads-" in r]
