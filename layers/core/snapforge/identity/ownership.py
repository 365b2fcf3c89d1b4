"""What identity owns."""

from snapforge.kit.ownership import OUTBOX, Erase, Ownership, Rows, Table

OWNERSHIP = Ownership(
    tables=(
        Table(
            "identity",
            (
                Rows("User", Erase.delete, export=True),
                Rows("Membership", Erase.delete, export=True),
                Rows("Session", Erase.delete, export=True),
                Rows("Org", Erase.pseudonymise, export=True, why="the ledger's journals name the org"),
                Rows("ApiKey", Erase.delete, export=True),
                Rows("OrgKey", Erase.delete),
                Rows("EmailClaim", Erase.delete),
                Rows("Standing", Erase.delete),
                Rows("Verification", Erase.expires, why="a day after its mail"),
                Rows("Counter", Erase.expires, why="when its window is over"),
                OUTBOX,
            ),
            outbox=True,
        ),
    ),
)
