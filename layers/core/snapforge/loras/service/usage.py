"""Whether a LoRA may be used: asked when it is ordered, in the order's own transaction, and again when it is drawn."""

from typing import TYPE_CHECKING

from snapforge.aws.tables import org_pk
from snapforge.loras import errors, store
from snapforge.loras.domain import Usable
from snapforge.loras.store import LoraRow

if TYPE_CHECKING:
    from snapforge.aws.tables import Item, Transaction


def usable(org_id: str, lora_id: str, version: int | None = None) -> Usable:
    """A finished version, the newest where none is named. LoraNotFound, LoraDeleted, LoraNotReady."""
    row = store.find_lora(org_id, lora_id)
    if row is None:
        raise errors.LoraNotFound(f"There is no LoRA {lora_id}.")
    if row.deleted_at is not None:
        raise errors.LoraDeleted(f"{row.name} ({lora_id}) was deleted.")
    trained = row.current
    if version is not None and (trained is None or trained.version != version):
        found = store.find_version(lora_id, version)
        trained = found.trained if found else None
    if trained is None:
        which = "finished version" if version is None else f"finished version {version}"
        raise errors.LoraNotReady(f"{row.name} ({lora_id}) has no {which}.")
    return Usable(row.id, row.model, row.trigger, trained)


def require_usable(tx: "Transaction", org_id: str, lora_id: str) -> None:
    """Let `tx` fail with LoraNotFound or LoraDeleted unless the LoRA is there and not deleted."""

    def failed(item: "Item | None") -> Exception:
        return errors.LoraDeleted(f"{lora_id} was deleted.") if item else errors.LoraNotFound()

    present = LoraRow.pk.exists() & LoraRow.deleted_at.does_not_exist()
    tx.check(LoraRow, org_pk(org_id), store.lora_sk(lora_id), present, failed=failed)
