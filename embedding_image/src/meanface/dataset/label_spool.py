"""Labels by name, kept on disk until the photos that they belong to are listed."""

from __future__ import annotations

from meanface.dataset.scratch import ScratchTable, scratch

_TABLE = "CREATE TABLE labels (name PRIMARY KEY, label, rank, used DEFAULT 0) WITHOUT ROWID"
_ADD = """
    INSERT INTO labels (name, label, rank) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET label = excluded.label, rank = excluded.rank WHERE excluded.rank >= labels.rank
"""


class LabelSpool(ScratchTable):
    """Takes labels from any thread; of those for one name, the last of the highest rank counts."""

    def __init__(self) -> None:
        super().__init__(_TABLE)

    def add(self, name: str, label: str, rank: int = 0) -> None:
        """Add a label; raises `StorageUnavailable` if the temporary folder is full."""
        with self.lock, scratch():
            self.db.execute(_ADD, (name, label, rank))

    def add_first(self, name: str, label: str) -> bool:
        """Add a label unless the name has one; False if it has another one."""
        with self.lock, scratch():
            self.db.execute("INSERT OR IGNORE INTO labels (name, label, rank) VALUES (?, ?, 0)", (name, label))
            (found,) = self.db.execute("SELECT label FROM labels WHERE name = ?", (name,)).fetchone()
        return bool(found == label)

    def take(self, name: str) -> str:
        """The label of a name; empty if there is none."""
        with self.lock, scratch():
            found = self.db.execute("SELECT label FROM labels WHERE name = ?", (name,)).fetchone()
            if found is not None:
                self.db.execute("UPDATE labels SET used = 1 WHERE name = ?", (name,))
        return str(found[0]) if found else ""

    def unused(self) -> tuple[int, str]:
        """The number of names whose label nobody has taken, and the first of them."""
        with self.lock, scratch():
            count, first = self.db.execute("SELECT COUNT(*), MIN(name) FROM labels WHERE used = 0").fetchone()
        return int(count), str(first or "")
