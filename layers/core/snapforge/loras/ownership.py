"""What loras owns: personal adapters, each with what it was trained on."""

from snapforge.kit.ownership import Erase, Ownership, Rows, Table

OWNERSHIP = Ownership(
    tables=(Table("loras", (Rows("Lora", Erase.delete, export=True), Rows("Version", Erase.delete, export=True))),),
    objects=(Rows("assets/loras/", Erase.delete, export=True),),
)
