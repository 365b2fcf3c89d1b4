"""Operator's command: hold an org's ledger against every invariant; changes nothing."""

from snapforge.billing.schemas import AuditAnswer, AuditCommand
from snapforge.billing.service import audits
from snapforge.triggers import command


@command(AuditCommand, AuditAnswer)
def handler(asked: AuditCommand) -> AuditAnswer:
    """A fault is a sentence."""
    faults = audits.audit(asked.org_id)
    return AuditAnswer(org_id=asked.org_id, exact=not faults, faults=faults)
