"""Orders as a customer places them, and what is told of them."""

from dataclasses import dataclass
from typing import Any

import pytest

from infrastructure.local.region import Region
from tests.support.checked_api import CheckedApi
from tests.support.region import until

PICTURES = {"kind": "image", "prompt": "a red cube", "width": 128, "height": 128, "count": 2, "seed": 11, "steps": 2}
TOLD: pytest.StashKey[dict[str, list[str]]] = pytest.StashKey()
"""Title to lines: what tests found worth telling without failing; told at the end of the run."""


@dataclass(frozen=True)
class Done:
    """An order, from its preview to its end."""

    before: dict[str, Any]
    """The balance before it."""
    preview: dict[str, Any]
    held: dict[str, Any]
    """The balance just after it was taken."""
    states: list[dict[str, Any]]
    """Each state that polling saw; the last is final."""

    @property
    def job(self) -> dict[str, Any]:
        """The final state."""
        return self.states[-1]

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Result files by role; of pictures, the last."""
        return {file["role"]: file for file in self.job["results"]["files"]}


def place(api: CheckedApi, order: dict[str, Any]) -> Done:
    """Preview, order at the quoted price, poll to the end."""
    before = api.get("get_balance")
    preview = api.call("preview_job", body=order).json
    if preview["status"] == "checking":
        preview = until(lambda: _ready(api, preview["id"]), seconds=90, every=0.5)
    assert preview["can_start"], preview
    created = api.call("create_job", body=order | {"quote": preview["quote"]})
    assert created.status == 201
    return Done(before, preview, api.get("get_balance"), list(api.watch(created.json["id"], seconds=1200)))


def _ready(api: CheckedApi, preview_id: str) -> dict[str, Any] | None:
    """The preview once its photos are examined."""
    found: dict[str, Any] = api.get("get_preview", preview_id=preview_id)
    return found if found["status"] == "ready" else None


def audit(region: Region, org_id: str) -> list[str]:
    """Every ledger invariant that does not hold; none, if we are exact."""
    found: list[str] = region.invoke("audit-ledger", {"org_id": org_id})["faults"]
    return found
