"""What assets owns: what people brought and what was made for them."""

from types import MappingProxyType

from snapforge.aws import probes
from snapforge.kit.ownership import OUTBOX, Erase, Ownership, Rows, Table


def _buckets() -> None:
    probes.bucket("UPLOADS_BUCKET")
    probes.bucket("ASSETS_BUCKET")


OWNERSHIP = Ownership(
    tables=(
        Table(
            "assets",
            (
                Rows("Upload", Erase.delete, export=True),
                Rows("Capture", Erase.delete, export=True),
                Rows("Photo", Erase.delete, export=True),
                Rows("Content", Erase.delete),
                Rows("Asset", Erase.delete, export=True),
                OUTBOX,
            ),
            outbox=True,
        ),
    ),
    objects=(
        Rows("uploads/incoming/", Erase.expires, why="three days after they came; what is usable moves to originals/"),
        Rows("uploads/originals/", Erase.delete, export=True),
        Rows("assets/photos/", Erase.delete),
        Rows("assets/assets/", Erase.delete, export=True),
    ),
    probes=MappingProxyType({"buckets": _buckets}),
)
