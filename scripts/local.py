"""meanface on one machine: `run` a dataset through a real Airflow, or keep Airflow `up` until `down`."""

import signal
import sys
from pathlib import Path

# Where Airflow finds its plugins; the reader of a run's records is among them.
sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports needs no traceback
    from laptop.cli import main

    sys.exit(main())
