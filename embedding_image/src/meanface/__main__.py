"""The program `meanface`, also as `python -m meanface`."""

import gc


def main() -> None:
    """Run the command line.

    While Python imports the program, or ends it, the garbage collector would search objects that stay.
    """
    gc.disable()
    from meanface.cli.app import main as run

    gc.freeze()
    gc.enable()
    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
