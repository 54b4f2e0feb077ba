"""Where the ``bitformer`` script begins: with Ctrl-C, before all that takes a while to import."""

import sys

from bitformer.cli.interrupt import INTERRUPTED, ctrl_c

__all__ = ["main"]


def main() -> None:
    """Run the command line that the program was started with."""
    ctrl_c.watch()
    try:
        from bitformer.cli.main import cli

        cli(prog_name="bitformer")
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        ctrl_c.leave()


if __name__ == "__main__":
    main()
