"""How a stage script and a CLI verb end when a user's input is wrong: one paragraph, exit code 1, no traceback."""

import codecs
import errno
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from typing import NoReturn

from dermlab.run.errors import DermlabError

PLAIN = {
    "▲": "^", "▼": "v", "−": "-", "–": "-", "—": "-", "…": "...", "σ": "sd", "Δ": "d", "√": "sqrt ", "±": "+-", "×": "x", "·": "*",
    "≤": "<=", "≥": ">=", "→": "->", "●": "o", "━": "=", "─": "-", "┼": "+", "┊": ":", "†": "+", "’": "'", "“": '"', "”": '"', "„": '"',
}  # fmt: skip
REPLACING = "dermlab.plain"  # as the name of a way to encode


def run_command(main: Callable[[], None], *, shared: bool = False) -> None:
    """`shared`: a process of it runs on each GPU; see `launch`."""
    _show_what_the_terminal_can()
    try:
        if shared:
            from dermlab.run.launch import end_sharing, share_work

            share_work()
            main()
            end_sharing()
        else:
            main()
    except DermlabError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:  # of an extra: dermlab alone is installed with what works in another project
        library = (error.name or "dermlab").partition(".")[0]
        if library == "dermlab":
            raise
        _fail(f'{library} is not installed here. `pip install "dermlab[train,export]"` brings what every command needs.')
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _fail(f"No space left{f' while writing {error.filename}' if error.filename else ' on this disk'}. Free some and run again.")
    except KeyboardInterrupt:
        print("Interrupted. Finished work is kept; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)


def _show_what_the_terminal_can() -> None:
    """What its encoding lacks is written plainly: an arrow as ^, a letter without its accent. Nobody's command ends for a sign."""
    codecs.register_error(REPLACING, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):  # a test, or another program, may have put a file there that has none
            reconfigure(errors=REPLACING)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    def plain(letter: str) -> str:
        return PLAIN.get(letter) or unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"

    return "".join(map(plain, error.object[error.start : error.end])), error.end


def _fail(said: str) -> NoReturn:
    print(textwrap.fill(f"Error: {said}", 110, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
    sys.exit(1)
