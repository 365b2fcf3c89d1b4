"""What billing owns."""

from snapforge.kit.ownership import OUTBOX, Erase, Ownership, Rows, Table

_BOOKS = "tax law wants the books for years, and every sum must stay provable"

OWNERSHIP = Ownership(
    tables=(
        Table(
            "billing",
            (
                Rows("Account", Erase.pseudonymise, export=True, why=_BOOKS),
                Rows("Hold", Erase.pseudonymise, why=_BOOKS),
                OUTBOX,
            ),
            outbox=True,
        ),
        Table("ledger", (Rows("Journal", Erase.pseudonymise, export=True, why=_BOOKS),)),
    ),
)
