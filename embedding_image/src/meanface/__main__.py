"""The program `meanface`, also as `python -m meanface`."""

import gc
import signal


def main() -> None:
    """Run the command line.

    While Python imports the program, Ctrl-C ends it without a traceback. The garbage collector is off during the
    imports, and skips what is left at the exit: it would search objects that stay.
    """
    gc.disable()
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from meanface.cli.app import main as run

    signal.signal(signal.SIGINT, interrupted)
    gc.freeze()
    gc.enable()
    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
