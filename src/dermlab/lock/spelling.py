"""One thing under one name. Ids, classes, splits and answers are compared as a reader sees them: spellings that differ in blanks, dashes,
case, accents or in what no eye sees are joined, and that is said. Where it is no more than likely, lines are named.
"""

import re
import unicodedata

import pandas as pd

from dermlab.run.errors import SourceError
from dermlab.run.progress import some

# Shown as nothing, though Unicode calls them letters, marks or symbols: fillers, an empty braille cell, selectors of a glyph.
UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
# Typed for one another, though compatibility in Unicode's sense does not join them.
TYPED_FOR = {**dict.fromkeys("\u02d7\u2043\u2212", "-"), **dict.fromkeys('"\u201c\u201d', '"')}
TYPED_FOR |= dict.fromkeys("`\u00b4\u2018\u2019\u02bc\u2032", "'")
JOINERS = "\u200c\u200d"  # they shape the letters beside them
MEANINGFUL = ("<super>", "<sub>", "<fraction>", "<circle>")  # of 10² NFKC makes 102, which is another thing
# What people and programs write where there is nothing to write, without marks: `N/A` is `n a`, `?` nothing at all.
NOTHING = frozenset(
    """, na, n a, nan, nat, null, nil, none, unknown, unk, ukn, unkn, unknown patient, patient unknown, not known, not available,
    not applicable, not given, not provided, not recorded, not reported, not specified, not stated, no id, no name, no patient, no value,
    no data, missing, undefined, unspecified, unidentified, unnamed, anonymous, anonymised, anonymized, anonym, anon, tbd, unbekannt,
    keine angabe, k a, inconnu, desconocido, desconocida, sconosciuto, onbekend""".replace("\n   ", "").split(", ")
)


def folded(text: str) -> str:
    """The text as it is compared: composed, without case, dashes and blanks of one kind, and nothing of what is not seen. Letters of
    different scripts stay different, and so do 10² and 102."""
    alike_signs = unicodedata.normalize("NFC", text).translate(_LIKENESS)
    return " ".join(unicodedata.normalize("NFC", alike_signs.casefold()).split())


def alike(name: str) -> str:
    """As `folded`; and 1.0 is 1, as a spreadsheet writes a number that once stood beside an empty cell."""
    return re.sub(r"^(\d+)(?:\.0+|,0)$", r"\1", folded(name))


def seen(text: str) -> str:
    """The text on one line, without what is not seen but joiners, by which some scripts shape their letters."""
    return " ".join("".join(sign for sign in text if sign in JOINERS or sign.isspace() or _LIKENESS[ord(sign)]).split())


def trimmed(text: str) -> str:
    """Without blanks, and without what is not seen, at both ends."""
    begin, end = 0, len(text)
    while begin < end and _LIKENESS[ord(text[begin])] in ("", " "):
        begin += 1
    while begin < end and _LIKENESS[ord(text[end - 1])] in ("", " "):
        end -= 1
    return text[begin:end]


def unguarded(text: str) -> str:
    """Without what makes a spreadsheet take a cell for text: `="001"` and `'001` are 001."""
    if formula := re.fullmatch(r'=\s*"+(.*?)"+', text, re.DOTALL):
        return trimmed(formula[1].replace('""', '"'))
    return trimmed(text[1:]) if len(text) > 1 and text.rfind("'") == 0 else text


def without_marks(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", folded(text)).split())


def says_nothing(text: str) -> bool:
    """Whether a cell holds a word, or marks alone, that stand for an empty one."""
    return without_marks(text) in NOTHING


def joined(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """The commonest spelling of each value, on one line, and of each other one with what it is joined and how often. None stays."""
    written = column.map(seen, na_action="ignore")
    counts = written.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    commonest = {alike(name): name for name in reversed(counts.index)}
    names = written.map({name: commonest[alike(name)] for name in counts.index})
    others = pd.DataFrame({"other": column, "name": names})[column.notna() & (column != names)].value_counts().sort_index()
    said = [f"{other!r} as {name!r}, {some(count, 'row', 'rows')}" for (other, name), count in others.items()]
    return names.astype(object).where(column.notna(), None), said


def joined_labels(column: pd.Series) -> tuple[pd.Series, list[str]]:
    labels, others = joined(column)
    return labels, [f"labels joined with another spelling: {listed(others)}"] if others else []


def listed(parts: list[str], shown: int = 9) -> str:
    more = len(parts) - shown
    return "; ".join(parts[:shown]) + (f"; and {some(more, 'other', 'others')}" if more > 0 else "")


def joined_ids(column: pd.Series, role: str, where: str) -> tuple[pd.Series, list[str]]:
    """The first spelling of each patient or case; None stays. `1` and `01` are a doubt. The index is the line. Raises SourceError, which
    names lines and no person."""
    same = column.map(alike, na_action="ignore")
    without_zeros = same.map(lambda name: name.lstrip("0") or "0", na_action="ignore")
    spellings = same.groupby(without_zeros).nunique()
    if (spellings > 1).any():
        lines = same[without_zeros == spellings.index[spellings > 1][0]].drop_duplicates().index[:2]
        raise SourceError(
            f"{where}, lines {' and '.join(map(str, lines))}: two {role}s differ in leading zeros alone. If they are one {OF_ROLE[role]} "
            "write them alike; if not, give one another name. A guess could put one person on both sides of the split."
        )
    spelt, others = column.nunique() - same.nunique(), column[column.notna() & (column != column.groupby(same).transform("first"))]
    spellings = some(spelt, f"other spelling of a {role} is", f"other spellings of a {role} are")
    said = [
        f"{spellings} joined with the first, in {some(len(others), 'row', 'rows')}: blanks, dashes, case, accents, `.0`, what is not seen "
        f"({lines_of(others)})"
    ]
    first = column.map(seen, na_action="ignore").groupby(same).transform("first")
    return first.astype(object).where(column.notna(), None), said if spelt else []


OF_ROLE = {"patient": "person", "case": "case"}
# 2.01912E+11 for 201912000001: what a spreadsheet shows, and exports, of a number with more digits than the column is wide.
ROUNDED = re.compile(r"\d+[.,]\d+e[+-]?\d+|\d+e\+\d+")
DIGITS = 15  # that a spreadsheet keeps of a number; it writes 0 for the others
MONTH = "(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
DATE = re.compile(rf"\d{{1,2}}[-. ]+{MONTH}|{MONTH}[-. ]+\d\d")  # 1-Mar, which it makes of 3-1
PAIR = re.compile(r"\d{1,2}[-./]\d{1,2}")


def check_not_changed(column: pd.Series, where: str) -> None:
    """Raises SourceError where a spreadsheet took ids for numbers or dates: several became one, or one several."""
    same = column.dropna().map(folded)

    def those(pattern: re.Pattern) -> pd.Series:
        return same[same.map(lambda name: pattern.fullmatch(name) is not None)]

    long = same[same.map(lambda name: name.isdecimal() and len(name) > DIGITS)]
    zeros = long.map(lambda name: len(name) - len(name.rstrip("0")) - (len(name) - DIGITS))
    cut = long.nunique() > 1 and zeros.min() == 0  # more of them in all ids are their own, as of a time in milliseconds
    for how, changed in (
        ("rounded, in E-notation (as 2.01912E+11)", those(ROUNDED)),
        (f"rounded: their digits after the {DIGITS}th are 0", long if cut else long[:0]),
        ("dates, where others are as 3-1", those(DATE) if len(those(PAIR)) else long[:0]),
    ):
        if len(changed):
            raise SourceError(
                f"{where}, {lines_of(changed)}, column {column.name}: {some(len(changed), 'id is', 'ids are')} {how}. A spreadsheet, or a "
                "type of number too short for them, has made this of them, and several may now be one, or one two. Format that column as "
                "text before the ids are entered, and export again; what they were cannot be restored from this file."
            )


def lines_of(rows: pd.Series, shown: int = 5) -> str:
    lines = rows.index.unique()
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:shown]))}{' and others' * (len(lines) > shown)}"


class _Likeness(dict[int, str]):
    """Code point -> what stands for it where texts are compared, as `str.translate` asks for it."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character.isspace():
            self[code] = " "
        elif category in ("Cf", "Cc") or character in UNSEEN:
            self[code] = ""
        elif category == "Pd":
            self[code] = "-"
        elif unicodedata.decomposition(character).startswith(MEANINGFUL):
            self[code] = character
        else:
            self[code] = TYPED_FOR.get(character, unicodedata.normalize("NFKC", character))
        return self[code]


_LIKENESS = _Likeness()
