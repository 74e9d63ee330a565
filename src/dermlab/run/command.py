"""How a stage script and a CLI verb end when a user's input is wrong: one paragraph, exit code 1, no traceback."""

import sys
import textwrap
from collections.abc import Callable

from dermlab.run.errors import DermlabError


def run_command(main: Callable[[], None], *, shared: bool = False) -> None:
    """`shared`: a process of it runs on each GPU; see `launch`."""
    try:
        if shared:
            from dermlab.run.launch import share_work

            share_work()
        main()
    except DermlabError as error:
        print(textwrap.fill(f"Error: {error}", 110, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted. Finished work is kept; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
