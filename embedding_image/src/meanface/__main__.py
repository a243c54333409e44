"""Run the command line: `python -m meanface`."""

from meanface.cli.app import main

if __name__ == "__main__":
    main()
