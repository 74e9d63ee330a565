"""One thing under one name. Ids, classes, splits and answers are compared as a reader sees them: spellings that differ in blanks, dashes,
case, accents or in what no eye sees are joined, and that is said. Where it is no more than likely, lines are named.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.lines import BLANK_LETTERS
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

# Shown as nothing, though Unicode calls them letters, marks or symbols: fillers, an empty braille cell, selectors of a glyph.
UNSEEN = BLANK_LETTERS + "\u180f" + "".join(map(chr, range(0xFE00, 0xFE10)))
# Typed for one another, though compatibility in Unicode's sense does not join them.
TYPED_FOR = {**dict.fromkeys("\u02d7\u2043\u2212", "-"), **dict.fromkeys('"\u201c\u201d', '"')}
TYPED_FOR |= dict.fromkeys("`\u00b4\u2018\u2019\u02bc\u2032", "'")
JOINERS = "\u200c\u200d"  # they shape the letters beside them
MEANINGFUL = ("<super>", "<sub>", "<fraction>", "<circle>")  # of 10² NFKC makes 102, which is another thing
NO_VALUE = ("na", "n a", "nan", "nat", "null")  # as programs write that there is none, `without_marks`
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


def plain(name: str) -> str:
    """The name of a column, a split or a folder as it is compared: `Patient ID` is `patient_id`."""
    return re.sub(r"[\s\-.]+", "_", folded(name)).strip("_")


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


def joined(column: pd.Series, same: Callable[[str], str] = alike) -> tuple[pd.Series, list[str]]:
    """The commonest spelling of each value, on one line, and of each other one with what it is joined and how often. None stays. `same`:
    equal for spellings of one value."""
    written = column.map(seen, na_action="ignore")
    counts = written.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    commonest = {same(name): name for name in reversed(counts.index)}
    names = written.map({name: commonest[same(name)] for name in counts.index}).astype(object).where(column.notna(), None)
    return names, _joins(column, names)


def _joins(written: pd.Series, names: pd.Series) -> list[str]:
    """What was written otherwise than it is named, and in how many rows."""
    others = pd.DataFrame({"other": written, "name": names})[written.notna() & (written != names)].value_counts().sort_index()
    return [f"{other!r} as {name!r}, {some(count, 'row', 'rows')}" for (other, name), count in others.items()]


def joined_labels(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """The commonest spelling of each class, and what to say of the others and of classes that are a doubt. `Other` is the pool."""
    labels, _ = joined(column, _class)
    labels = labels.where(labels.map(_class) != OTHER, OTHER)
    cleaned = column.map(_has_control) & ~labels.isin(set(column))
    said = []
    for what, of in (
        (f"labels joined into the pool `{OTHER}`", labels == OTHER),
        ("labels joined with another spelling", (labels != OTHER) & ~cleaned),
        ("labels written on one line, without characters that are not seen", (labels != OTHER) & cleaned),
    ):
        if others := _joins(column[of], labels[of]):
            said.append(f"{what}: {listed(others)}")
    nothing = labels[labels.map(lambda label: says_nothing(label) and without_marks(label) not in NO_VALUE)].value_counts()
    if len(nothing):
        words = ", ".join(f"{name!r} ({some(rows, 'row', 'rows')})" for name, rows in nothing.items())
        said.append(f"classes that may stand for no label: {words}")
    pairs = {tuple(two): None for _, two in doubts(labels, {**DOUBTS, "truth": _truth})}
    said += [f"classes that may be one, and stay two: {' and '.join(map(repr, pair))}" for pair in pairs]
    return labels, said


def listed(parts: list[str], shown: int = 9) -> str:
    more = len(parts) - shown
    return "; ".join(parts[:shown]) + (f"; and {some(more, 'other', 'others')}" if more > 0 else "")


def _has_control(label: str) -> bool:
    """Whether a terminal would obey something in it, or shows nothing of it."""
    return any(unicodedata.category(sign)[0] == "C" for sign in label)


def _class(label: str) -> str:
    """As `alike`; and basal_cell, basal-cell and basal cell are one."""
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", alike(label))


def _truth(names: pd.Series) -> pd.Series:
    return names.replace({"true": "1", "yes": "1", "false": "0", "no": "0"})


def joined_ids(column: pd.Series, role: str, where: str) -> tuple[pd.Series, list[str]]:
    """The first spelling of each patient or case; None stays. `1` and `01` are a doubt. The index is the line. Raises SourceError, which
    names lines and no person."""
    said = _check_no_numbers_or_dates(column, role, where)
    for how, two in doubts(column.dropna()):
        raise SourceError(
            f"{where}, {lines_of(two, between=' and ')}: two {role}s differ in {how} alone. If they are one {OF_ROLE[role]} "
            "write them alike; if not, give one another name. A guess could put one person on both sides of the split."
        )
    same = column.map(alike, na_action="ignore")
    if role == "patient" and len(same) > 1 and same.nunique() < (FEW if len(same) >= MANY else 2):
        raise SourceError(
            f"{where}, column {column.name}: all {len(same)} photos are of {some(same.nunique(), 'patient', 'patients')}, so it does not "
            "tell the patients apart, and nothing could be learnt from some and tested on others. Name the column that does: "
            "--patient-column. Where each photo is of another person, or nobody knows, say --no-patients."
        )
    if spelt := column.nunique() - same.nunique():
        others = column[column.notna() & (column != column.groupby(same).transform("first"))]
        spellings = some(spelt, f"other spelling of a {role} is", f"other spellings of a {role} are")
        said.append(
            f"{spellings} joined with the first, in {some(len(others), 'row', 'rows')}: blanks, dashes, case, accents, `.0`, what is not "
            f"seen ({lines_of(others)})"
        )
    first = column.map(seen, na_action="ignore").groupby(same).transform("first")
    return first.astype(object).where(column.notna(), None), said


OF_ROLE = {"patient": "person", "case": "case"}
FEW, MANY = 3, 10  # patients, of whom fewer are none for so many photos

# Letters of other alphabets that look like these, without case: a Cyrillic `РА0` for `PA0`.
LATIN = str.maketrans("авекмнорстухіјѕԁһԛԝαβεζηικμνορτυχ", "abekmhopctyxijsdhqwabezhikmnoptyx")
BETWEEN = r"[\s_\-/.,']++"  # the parts of an id
THOUSANDS = r"[1-9]\d{0,2}(?:[.,' ]\d{3})+"


def _without_zeros(names: pd.Series) -> pd.Series:
    return names.map(lambda name: re.sub(r"(?<!\d)0+(?=\d)", "", alike(name)))


def _in_parts(names: pd.Series) -> pd.Series:
    return names.map(lambda name: re.sub(BETWEEN, "-", name))


def _in_one(names: pd.Series) -> pd.Series:
    """Without what stands between the parts, where that is a name in the column too. Of numbers only long ones and thousands: 1-1 is
    not 11."""
    whole = set(names)

    def in_one(name: str) -> str:
        digits = re.sub(BETWEEN, "", name)
        if digits.isdecimal() and (len(digits) >= 6 or re.fullmatch(THOUSANDS, name)):
            return digits if digits in whole else name
        bare = re.sub(rf"(?<!\d){BETWEEN}|{BETWEEN}(?!\d)", "", name)
        return bare if bare in whole else name

    return names.map(in_one)


def _in_latin(names: pd.Series) -> pd.Series:
    return names.map(lambda name: re.sub(r"\d", lambda digit: str(int(digit[0])), name.translate(LATIN)))


Likeness = Callable[[pd.Series], pd.Series]
DOUBTS: dict[str, Likeness] = {
    "leading zeros": _without_zeros,
    "what stands between their parts": _in_parts,
    "separators": _in_one,
    "letters of another alphabet that look the same": _in_latin,
}


def doubts(column: pd.Series, kinds: Mapping[str, Likeness] = DOUBTS) -> Iterator[tuple[str, pd.Series]]:
    """In what two values alone differ that may be one, and those two, of each set of such; as `alike`, they are two."""
    values = column.drop_duplicates()
    names, ids = values.map(folded), values.map(alike)
    for how, likeness in kinds.items():
        likely = likeness(names)
        two = values[(ids.groupby(likely).transform("nunique") > 1)]
        for _, rows in two.groupby(likely, sort=False):
            yield how, rows[~ids[rows.index].duplicated()][:2]


# 2.01912E+11 for 201912000001: what a spreadsheet shows, and exports, of a number with more digits than the column is wide.
TIMES_TEN = r"(?:e| ?[x×*·] ?10 ?\^? ?)"
ROUNDED = re.compile(rf"[+-]?\d+[.,]\d*{TIMES_TEN}[+-]?\d+|[+-]?\d+{TIMES_TEN}\+\d+|[+-]\d+{TIMES_TEN}\d+|\d+ ?[x×*·] ?10 ?\^ ?\d+")
MAY_BE_ROUNDED = re.compile(r"[1-9]e(?:[5-9]|1\d)")  # 2E11 may be a code, too, as of a well beside 2A11
CODE = re.compile(r"\d[a-df-z]\d+")
DIGITS = 15  # that a spreadsheet keeps of a number; it writes 0 for the others
ENDLESS = re.compile(r"[+-]?(?:inf|infinity|∞)")
ERRORS = re.compile(r"#(?:value!|ref!|name\?|div/0!|num!|null!|wert!|bezug!|zahl!|spill!|calc!)|err:\d+")
MONTH = "(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
DATE = re.compile(rf"\d{{1,2}}[-. ]+{MONTH}|{MONTH}[-. ]+\d\d")  # 1-Mar, which it makes of 3-1
PAIR = re.compile(r"\d{1,2}[-./]\d{1,2}")
TIME = r"(?:[t ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[ap]m|z|[+-]\d\d:?\d\d)?)?"
DATED = re.compile(rf"(\d{{4}}([-./])\d{{1,2}}\2\d{{1,2}}|\d{{1,2}}([-./])\d{{1,2}}\3\d{{4}}|\d{{1,2}}([./])\d{{1,2}}\4\d\d){TIME}")
DATED_IN_WORDS = re.compile(
    rf"(?:\d{{1,2}}[-. ]+{MONTH}[a-z]*[-., ]+(?:\d\d){{1,2}}|{MONTH}[a-z]*[-. ]+\d{{1,2}}[-., ]+(?:\d\d){{1,2}}){TIME}"
)


def check_not_changed(column: pd.Series, where: str) -> None:
    """Raises SourceError where a spreadsheet took ids for numbers or dates: several became one, or one several."""
    same = column.dropna().map(folded)
    long = same[same.map(lambda name: name.isdecimal() and len(name) > DIGITS)]
    zeros = long.map(lambda name: len(name) - len(name.rstrip("0")) - (len(name) - DIGITS))
    cut = long.nunique() > 1 and zeros.min() == 0  # more of them in all ids are their own, as of a time in milliseconds
    _refuse_changed(_those(same, ROUNDED), "rounded, in E-notation (as 2.01912E+11)", where)
    _refuse_changed(long if cut else long[:0], f"rounded: their digits after the {DIGITS}th are 0", where)
    _refuse_changed(_those(same, DATE) if len(_those(same, PAIR)) else long[:0], "dates, where others are as 3-1", where)
    _refuse_changed(_those(same, ENDLESS), "endless numbers", where)
    _refuse_changed(_those(same, ERRORS), "errors (as #VALUE!)", where)


def check_labels(column: pd.Series, where: str) -> None:
    """Raises SourceError where a label is what a program writes for an empty cell or for one that it could not reckon."""
    same = column.map(folded)
    none = column[same.map(lambda label: without_marks(label) in NO_VALUE or ERRORS.fullmatch(label) is not None).to_numpy(bool)]
    if len(none):
        words = ", ".join(map(repr, sorted(set(none))[:5]))
        raise SourceError(
            f"{where}, {lines_of(none)}, column {column.name}: {words} is no label, in {len(none)} rows: programs write it for an empty "
            "cell. Fill it in, or remove the rows; or, if it is a class, write its name in full."
        )


def _check_no_numbers_or_dates(column: pd.Series, role: str, where: str) -> list[str]:
    """As `check_not_changed`, for what may well be the name of a file and hardly that of a person; and what to say of a doubt."""
    same = column.dropna().map(folded)
    numbered = _those(same, DATED)  # of a year, a site and a number some would be no dates
    dates = pd.concat([numbered if numbered.map(_is_of_the_calendar).all() else numbered[:0], _those(same, DATED_IN_WORDS)]).sort_index()
    _refuse_changed(dates if len(dates) < len(same) else dates[:0], "dates, where others are none", where)
    rounded = _those(same, MAY_BE_ROUNDED)
    if (len(rounded) > 1 and _those(same, CODE).empty) or 0 < len(rounded) == len(same):
        _refuse_changed(rounded, "rounded, in E-notation (if they are codes, begin each with a letter)", where)
    if rounded.empty:
        return []
    return [f"{lines_of(rounded)}: {len(rounded)} {role} ids look like a number in E-notation, and are taken for codes"]


def _is_of_the_calendar(name: str) -> bool:
    first, second, third = map(int, re.findall(r"\d+", DATED.fullmatch(name)[1]))
    day_and_month = sorted((second, third) if first > 31 else (first, second))
    return day_and_month[0] in range(1, 13) and day_and_month[1] in range(1, 32)


def _those(same: pd.Series, pattern: re.Pattern) -> pd.Series:
    return same[same.map(lambda name: pattern.fullmatch(name) is not None).astype(bool)]


def _refuse_changed(changed: pd.Series, how: str, where: str) -> None:
    if len(changed):
        what = some(len(changed), "id is", "ids are")
        raise SourceError(
            f"{where}, {lines_of(changed)}, column {changed.name}: {what} {how}. A spreadsheet, or a type of number too short for them, "
            "has made this of them, and several may now be one, or one two. Format that column as text before the ids are entered, and "
            "export again; what they were cannot be restored from this file."
        )


def lines_of(rows: pd.Series | pd.DataFrame, shown: int = 5, between: str = ", ") -> str:
    """`lines 3, 4`; where the index is named otherwise, `rows 1, 2`, or the paths of photos."""
    places, kind = rows.index.unique(), rows.index.name or "line"
    named = between.join(repr(place) if isinstance(place, str) else str(place) for place in places[:shown])
    return f"{kind}{'s' * (len(places) > 1)} {named}{' and others' * (len(places) > shown)}"


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
