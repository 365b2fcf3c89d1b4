"""Operator's command: give credits to an org.

    aws lambda invoke --function-name snapforge-dev-grant-credits --cli-binary-format raw-in-base64-out \
        --payload '{"org_id": "org_…", "credits": 500, "reason": "Sorry for the outage", "key": "ticket-4711"}' out.json
"""

from snapforge.billing.schemas import GrantAnswer, GrantCommand
from snapforge.billing.service import ledger
from snapforge.triggers import command


@command(GrantCommand, GrantAnswer)
def handler(asked: GrantCommand) -> GrantAnswer:
    """Grant once per `key`; returns the journal's id and the balance after it."""
    journal = ledger.grant_by_operator(
        asked.org_id, credits=asked.credits, reason=asked.reason, key=asked.key, expires_at=asked.expires_at
    )
    return GrantAnswer(journal_id=journal.id, balance=ledger.balance(asked.org_id))
