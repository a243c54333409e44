"""Random faults, as seeds decide: the bits of the quiet run, or an error that names the cause and then those bits.

The one exception is a photo that was away while it was to be read: it stays `unreadable`, and another run reads it.

`make faults` runs 500; `make faults SEED=7` replays one.
"""

from __future__ import annotations

import pytest

from faults.fields import Fields, Quiet
from faults.schedule import Schedule, kinds_of
from faults.table import Table


def test_a_run_under_faults(seed: int, table: Table, fields: Fields, quiet: Quiet) -> None:
    kinds = kinds_of(seed, fields.possible)
    if not fields.possible(kinds[0]):
        table.skipped[kinds[0].name] = "a file system cannot be mounted here"
        pytest.skip(f"{kinds[0].name}: {table.skipped[kinds[0].name]}")
    with fields.open(seed, kinds) as ground:
        schedule = Schedule(ground, kinds, quiet.steps, quiet.bits)
        try:
            end = schedule.run()
        except Exception as error:
            error.add_note(f"seed {seed}: {schedule}")
            raise
    table.seeds.append(seed)
    table.ends.update((kind.name, end) for kind in kinds)
