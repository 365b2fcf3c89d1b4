"""What pycolmap's database class cannot be asked, asked of the file itself (COLMAP's documented database format)."""

import pathlib
import sqlite3
from collections.abc import Collection
from contextlib import closing

from worker.engines.scene.colmap import pycolmap


def matched(database: pathlib.Path) -> list[tuple[int, int]]:
    """Pairs of image ids that were matched. pycolmap lists only those of them that have a match."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            pycolmap.pair_id_to_image_pair(pair_id) for (pair_id,) in connection.execute("SELECT pair_id FROM matches")
        ]


def forget(database: pathlib.Path, ids: Collection[int]) -> None:
    """Drop the features of these images and every match with them. pycolmap clears whole tables only."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("matches", "two_view_geometries"):
            pairs = [pair_id for (pair_id,) in connection.execute(f"SELECT pair_id FROM {table}")]  # noqa: S608
            gone = [(one,) for one in pairs if not set(pycolmap.pair_id_to_image_pair(one)).isdisjoint(ids)]
            connection.executemany(f"DELETE FROM {table} WHERE pair_id = ?", gone)  # noqa: S608
        for table in ("keypoints", "descriptors"):
            connection.executemany(f"DELETE FROM {table} WHERE image_id = ?", [(one,) for one in ids])  # noqa: S608
