"""LoRAs without their jobs."""

from snapforge.aws import s3, settings
from snapforge.aws.tables import Transaction
from snapforge.kit import ids
from snapforge.loras.domain import Trained, weights_key
from snapforge.loras.service import training


def made(org_id: str, *, trained: bool = True) -> str:
    """A LoRA of flux-schnell, with a finished version or in training; returns its id."""
    lora_id, job_id = ids.new("lora"), ids.new("job")
    plan = training.Plan(org_id, lora_id, 1, job_id, "A vase", "grvase", "vase", "flux-schnell", "somebody")
    tx = Transaction()
    training.begin_version(tx, plan, again=False)
    tx.commit()
    if trained:
        uri = f"s3://{settings.get('ASSETS_BUCKET')}/{weights_key(lora_id, 1)}"
        s3.put(uri, b"weights", "application/octet-stream")
        tx = Transaction()
        done = Trained(version=1, uri=uri, sha256="0" * 64, family="flux1", rank=16)
        training.end_version(tx, org_id, lora_id, 1, trained=done)
        tx.commit()
    return lora_id
