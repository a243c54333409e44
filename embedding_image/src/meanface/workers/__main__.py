"""A worker process, `python -m meanface.workers`; `child` has what it does."""

import gc
import os
import signal


def main() -> None:
    """Serve photos; Ctrl-C is for the parent to handle, also while Python imports the rest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    from meanface.workers.child import main as serve

    gc.freeze()
    gc.enable()
    serve()
    os._exit(0)  # at once: the interpreter would free the models one by one


if __name__ == "__main__":
    main()
