"""What notifications owns: that a mail was sent, never what it said."""

from types import MappingProxyType

from snapforge.aws import probes
from snapforge.kit.ownership import Erase, Ownership, Rows, Table

OWNERSHIP = Ownership(
    tables=(Table("notifications", (Rows("Delivery", Erase.expires, why="30 days after its event"),)),),
    probes=MappingProxyType({"mail": probes.mail}),
)
