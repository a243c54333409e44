"""Run meanface on one machine: `run` a dataset with Airflow, or keep Airflow `up` until `down`."""

import signal
import sys
from pathlib import Path

# Airflow's plugins folder, which has the reader of a run's records.
sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback for Ctrl-C during the imports
    from laptop.cli import main

    sys.exit(main())
