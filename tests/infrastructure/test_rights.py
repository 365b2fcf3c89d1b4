"""Who may do what to what: every right of every role, held against the list of those who need it.

The list is by place, because that is how a right is judged: a new name under `PutItem` of `table ledger` is a decision.
"""

from collections.abc import Mapping

import pytest

from tests.infrastructure import policies, probes
from tests.infrastructure.probes import ENDPOINTS
from tests.support.templates import functions

pytestmark = pytest.mark.part("ADM-7")

NEEDED: dict[str, dict[str, str]] = {
    "table assets": {
        "ConditionCheckItem": "create_job retry_job",
        "GetItem": (
            "complete_upload create_job dispatch_job get_asset get_capture get_preview get_upload make_variants "
            "on_upload_arrived preflight_capture presign_upload preview_job retry_job sweep_outbox sweep_uploads"
        ),
        "PutItem": "create_capture on_upload_arrived presign_upload settle_job sweep_jobs",
        "Query": (
            "create_job dispatch_job get_capture get_preview list_assets preflight_capture preview_job retry_job"
        ),
        "UpdateItem": (
            "make_variants on_upload_arrived presign_upload publish_outbox settle_job sweep_jobs sweep_outbox "
            "sweep_uploads"
        ),
    },
    "table billing": {
        "GetItem": (
            "audit_ledger cancel_job create_job expire_grants get_balance grant_credits on_user_signed_up retry_job "
            "settle_job sweep_jobs sweep_outbox"
        ),
        "PutItem": (
            "cancel_job create_job expire_grants grant_credits on_user_signed_up retry_job settle_job sweep_jobs"
        ),
        "Query": "audit_ledger",
        "UpdateItem": "publish_outbox sweep_outbox",
    },
    "table identity": {
        "BatchGetItem": "get_me list_api_keys refresh_session",
        "ConditionCheckItem": "refresh_session",
        "DeleteItem": "revoke_api_key",
        "GetItem": "endpoints send_mail sweep_outbox",
        "PutItem": "create_api_key log_in refresh_session resend_verification revoke_api_key sign_up verify_email",
        "Query": "create_api_key list_api_keys log_in",
        "UpdateItem": "endpoints publish_outbox sweep_outbox",
    },
    "table jobs": {
        "DeleteItem": "cancel_job settle_job sweep_jobs",
        "GetItem": (
            "cancel_job check_job classify_failure create_job dispatch_job get_preview keep_workers on_batch_state "
            "on_dead_ticket on_report on_worker_ended preflight_capture preview_job publish_jobs_outbox retry_job "
            "settle_job sweep_jobs"
        ),
        "PutItem": (
            "cancel_job classify_failure create_job dispatch_job get_preview keep_workers on_report on_worker_ended "
            "preview_job retry_job settle_job sweep_jobs"
        ),
        "Query": "dispatch_job get_job list_jobs publish_jobs_outbox sweep_jobs",
        "UpdateItem": (
            "classify_failure dispatch_job keep_workers on_batch_state on_dead_ticket on_report on_worker_ended "
            "preflight_capture publish_jobs_outbox sweep_jobs"
        ),
    },
    "table ledger": {
        "PutItem": (
            "cancel_job create_job expire_grants grant_credits on_user_signed_up retry_job settle_job sweep_jobs"
        ),
        "Query": "audit_ledger",
    },
    "table loras": {
        "ConditionCheckItem": "create_job retry_job",
        "DeleteItem": "delete_lora purge_loras",
        "GetItem": (
            "cancel_job create_job delete_lora dispatch_job get_lora get_preview preview_job purge_loras rename_lora "
            "restore_lora retry_job settle_job sweep_jobs"
        ),
        "PutItem": (
            "cancel_job create_job delete_lora purge_loras rename_lora restore_lora retry_job settle_job sweep_jobs"
        ),
        "Query": "delete_lora get_lora list_loras purge_loras",
    },
    "table notifications": {
        "GetItem PutItem UpdateItem": "send_mail",
    },
    "index assets/unsent": {
        "Query": "sweep_outbox sweep_uploads",
    },
    "index billing/due": {
        "Query": "expire_grants",
    },
    "index billing/unsent": {
        "Query": "sweep_outbox",
    },
    "index identity/unsent": {
        "Query": "sweep_outbox",
    },
    "index jobs/deadline": {
        "Query": "sweep_jobs",
    },
    "index jobs/place": {
        "Query": "dispatch_job get_job keep_workers on_batch_state on_worker_ended",
    },
    "index jobs/unsent": {
        "Query": "sweep_jobs",
    },
    "index ledger/by_seq": {
        "Query": "list_journals",
    },
    "index loras/purge": {
        "Query": "purge_loras",
    },
    "stream assets": {
        "DescribeStream GetRecords GetShardIterator": "publish_outbox",
    },
    "stream billing": {
        "DescribeStream GetRecords GetShardIterator": "publish_outbox",
    },
    "stream identity": {
        "DescribeStream GetRecords GetShardIterator": "publish_outbox",
    },
    "stream jobs": {
        "DescribeStream GetRecords GetShardIterator": "publish_jobs_outbox",
    },
    "bucket assets": {
        "ListBucket": (
            "classify_failure dispatch_job draw_with_provider get_deep_health on_batch_state on_dead_ticket on_report "
            "settle_job sweep_jobs worker"
        ),
        "ListBucketVersions": "delete_lora purge_loras",
    },
    "bucket uploads": {
        "ListBucket": "get_deep_health on_upload_arrived",
    },
    "bucket weights": {
        "ListBucket": "worker",
    },
    "object assets/assets": {
        "GetObject": "make_variants",
        "PutObject": "make_variants on_upload_arrived settle_job sweep_jobs",
    },
    "object assets/loras": {
        "DeleteObjectVersion": "delete_lora purge_loras",
        "GetObject": "worker",
        "PutObject": "settle_job sweep_jobs",
    },
    "object assets/photos": {
        "DeleteObject PutObject": "on_upload_arrived",
        "GetObject": "preflight_capture worker",
    },
    "object assets/runs": {
        "AbortMultipartUpload DeleteObject": "worker",
        "DeleteObjectVersion": "delete_lora purge_loras",
        "GetObject": (
            "classify_failure dispatch_job draw_with_provider on_batch_state on_dead_ticket on_report settle_job "
            "sweep_jobs worker"
        ),
        "PutObject": "classify_failure dispatch_job draw_with_provider publish_jobs_outbox sweep_jobs worker",
    },
    "object uploads/incoming": {
        "AbortMultipartUpload": "sweep_uploads",
        "DeleteObject GetObject": "on_upload_arrived",
        "PutObject": "complete_upload presign_upload",
    },
    "object uploads/originals": {
        "DeleteObject PutObject": "on_upload_arrived",
    },
    "object weights/any": {
        "GetObject": "worker",
    },
    "queue batch-states": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "on_batch_state",
    },
    "queue billing-failures": {
        "SendMessage": "on_user_signed_up",
    },
    "queue images-bulk": {
        "ChangeMessageVisibility DeleteMessage ReceiveMessage": "worker",
        "SendMessage": "dispatch_job",
    },
    "queue images-dead": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "on_dead_ticket",
    },
    "queue images-rush": {
        "ChangeMessageVisibility DeleteMessage ReceiveMessage": "worker",
        "SendMessage": "dispatch_job",
    },
    "queue images-standard": {
        "ChangeMessageVisibility DeleteMessage ReceiveMessage": "worker",
        "SendMessage": "dispatch_job",
    },
    "queue jobs-failures": {
        "SendMessage": "publish_jobs_outbox",
    },
    "queue mail": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "send_mail",
    },
    "queue preflights": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "preflight_capture",
    },
    "queue outbox-failures": {
        "SendMessage": "publish_outbox",
    },
    "queue providers": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "draw_with_provider",
        "SendMessage": "dispatch_job",
    },
    "queue reports": {
        "ChangeMessageVisibility DeleteMessage ReceiveMessage": "on_report",
        "GetQueueAttributes": "get_deep_health on_report",
        "SendMessage": "draw_with_provider worker",
    },
    "queue uploaded": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "on_upload_arrived",
    },
    "queue variants": {
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage": "make_variants",
    },
    "secret delivery-key": {
        "GetSecretValue": (
            "cancel_job create_job get_asset get_job get_lora get_upload list_assets list_jobs retry_job send_mail"
        ),
    },
    "secret origin": {
        "GetSecretValue": "endpoints get_catalogue get_deep_health get_health",
    },
    "secret providers": {
        "GetSecretValue": "create_job dispatch_job draw_with_provider get_preview preview_job rename_lora",
    },
    "secret quote-key": {
        "GetSecretValue": "create_job get_preview preview_job",
    },
    "secret session-keys": {
        "GetSecretValue": "endpoints",
    },
    "bus": {
        "PutEvents": "publish_jobs_outbox publish_outbox sweep_jobs sweep_outbox",
    },
    "state machine render": {
        "DescribeStateMachine": "get_deep_health",
        "SendTaskSuccess": "dispatch_job on_batch_state on_dead_ticket on_report publish_jobs_outbox sweep_jobs",
        "StartExecution": "publish_jobs_outbox sweep_jobs",
    },
    "execution": {
        "DescribeExecution": "sweep_jobs",
    },
    "function check-job": {
        "InvokeFunction": "render",
    },
    "function classify-failure": {
        "InvokeFunction": "render",
    },
    "function dispatch-job": {
        "InvokeFunction": "render",
    },
    "function settle-job": {
        "InvokeFunction": "render",
    },
    "batch definition image": {
        "SubmitJob": "dispatch_job keep_workers on_worker_ended",
    },
    "batch definition lora": {
        "SubmitJob": "dispatch_job",
    },
    "batch definition scene": {
        "SubmitJob": "dispatch_job",
    },
    "batch job": {
        "TagResource": "dispatch_job keep_workers on_worker_ended",
        "TerminateJob": "classify_failure dispatch_job publish_jobs_outbox sweep_jobs",
    },
    "batch queue bulk": {
        "SubmitJob": "dispatch_job",
    },
    "batch queue images": {
        "SubmitJob": "dispatch_job keep_workers on_worker_ended",
    },
    "batch queue rush": {
        "SubmitJob": "dispatch_job",
    },
    "batch queue standard": {
        "SubmitJob": "dispatch_job",
    },
    "mail configuration": {
        "SendEmail": "send_mail",
    },
    "mail identity": {
        "SendEmail": "send_mail",
    },
    "any": {
        "batch:DescribeJobQueues ses:GetAccount": "get_deep_health",
        "batch:DescribeJobs": (
            "dispatch_job keep_workers on_batch_state on_dead_ticket on_report on_worker_ended sweep_jobs"
        ),
        "batch:ListJobs": "dispatch_job keep_workers on_worker_ended",
        "dynamodb:ListStreams": "publish_jobs_outbox publish_outbox",
        "logs:CreateLogDelivery": "render",
        "logs:DeleteLogDelivery": "render",
        "logs:DescribeLogGroups": "render",
        "logs:DescribeResourcePolicies": "render",
        "logs:GetLogDelivery": "render",
        "logs:ListLogDeliveries": "render",
        "logs:PutResourcePolicy": "render",
        "logs:UpdateLogDelivery": "render",
    },
}
"""Place → action, or several → who may. `endpoints` are all that ask who calls (probes.ENDPOINTS); the places are those
of probes.places()."""


def needed(place: str) -> dict[str, set[str]]:
    """NEEDED of one place, by single actions."""
    found = {"DescribeTable": {"get_deep_health"}} if place.startswith("table ") else {}
    for several, who in NEEDED.get(place, {}).items():
        for action in several.split():
            found[action] = {one for name in who.split() for one in (ENDPOINTS if name == "endpoints" else {name})}
    return found


def differences(place: str, held: Mapping[str, set[str]]) -> list[str]:
    """What is granted and not needed, or the other way round, a line each."""
    wanted = needed(place)
    return [
        f"{role}, {action}: {'granted, not needed' if role in held.get(action, ()) else 'needed, not granted'}"
        for action in sorted(wanted.keys() | held.keys())
        for role in sorted(wanted.get(action, set()) ^ held.get(action, set()))
    ]


class TestRoles:
    @pytest.mark.parametrize("place", probes.places())
    def test_it_may_be_reached_by_those_who_need_it_and_by_nobody_else(self, place: str) -> None:
        """Reads, writes and deletions, asked of every role: prefix by prefix, table by table, queue by queue."""
        assert differences(place, probes.rights().get(place, {})) == []

    def test_every_name_in_the_list_is_there(self) -> None:
        """A place or a role that is gone leaves no line behind."""
        assert set(NEEDED) <= set(probes.places())
        named = {role for place in NEEDED for who in needed(place).values() for role in who}
        assert named == {role.rpartition("/")[2] for role in policies.roles()}

    def test_every_prefix_of_a_bucket_is_asked_about(self) -> None:
        """So that a prefix which a policy names cannot be one that no probe looks at."""
        written = {
            resource.partition(":s3:::")[2]
            for held in policies.roles().values()
            for statement in held
            for resource in statement.resources
            if ":s3:::" in resource and "/" in resource
        }
        asked = {f"snapforge-dev-{name}-000000000000/{p}/*" for name, ps in probes.PREFIXES.items() for p in ps}
        assert len(written) > 5
        assert written - {"snapforge-dev-weights-000000000000/*"} <= asked

    def test_two_functions_do_not_share_a_name(self) -> None:
        """The list above knows them by their file alone."""
        assert len({one.file.stem for one in functions()}) == len(functions())
