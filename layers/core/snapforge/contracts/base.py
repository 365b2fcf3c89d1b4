"""The common base of everything that crosses between control plane and workers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

CONTRACT = 1
"""The contract that is written. Readers accept CONTRACT and CONTRACT - 1."""

EXAMPLE_JOB = "job_01JD4Z9K3M7Q8R5T2V6W0X1Y2Z"
"""`kit.ids.example("job")`, which workers cannot import: they have no ULIDs."""

Kind = Literal["image", "scene", "lora"]


class Contract(BaseModel):
    """A frozen message. Unknown fields are ignored, so that an older reader survives a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)
