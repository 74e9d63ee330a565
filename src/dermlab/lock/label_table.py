"""A table of labels as people export it: whatever its delimiter, encoding and blanks, every row is read, or the file is refused with the
line that does not fit. What was passed over or guessed is said.
"""

import csv
import io
import math
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dermlab.data.lines import WORKBOOKS
from dermlab.lock.columns import is_read
from dermlab.lock.spelling import plain, trimmed, unguarded
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = ",;\t|"
SAMPLED = 100  # rows that tell the delimiter
TABLES = (".csv", ".tsv", ".parquet")
csv.field_size_limit(10_000_000)


@dataclass(frozen=True)
class LabelTable:
    # strings, None where empty, without blanks and invisible characters around them and a spreadsheet's guards, in Unicode's composed form
    # (NFC); the index is named `line` and is that in the file; of a Parquet file it is the `row`, from 1
    frame: pd.DataFrame
    delimiter: str = ","
    said: list[str] = field(default_factory=list)  # what a person should hear of how it was read


def read_label_table(data: bytes, where: str) -> LabelTable:
    """Raises SourceError naming the line."""
    if data[:4] == b"PAR1":
        frame, said = _parquet(data, where)
        cleaned, more = _clean(frame)
        return LabelTable(cleaned, said=[*said, *more])
    text, said = _decoded(data, where)
    text, delimiter, skipped = _dialect(text)
    lines = _lines(text, delimiter, skipped, where)
    if not lines:
        raise SourceError(f"{where} is empty. It must hold a header and one row an image.")
    header = [unguarded(trimmed(name)) for name in lines[0][1]]
    rows, repeated = [], 0
    for number, values in lines[1:]:
        if [unguarded(trimmed(value)) for value in values] == header:
            repeated += 1
            continue
        rows.append((number, _fitting(values, len(header), f"{where}, line {number}")))
    if repeated:
        said.append(
            f"the header stands there {repeated + 1} times; {'the later one is' if repeated == 1 else 'the later ones are'} passed over"
        )
    if not rows:
        raise SourceError(f"{where} has a header ({', '.join(header)}) and no rows. It must hold one row an image.")
    frame = pd.DataFrame([values for _, values in rows], index=pd.Index([number for number, _ in rows], name="line"), dtype=str)
    keep = [position for position, name in enumerate(header) if name]
    unnamed = [position for position, name in enumerate(header) if not name and frame[position].map(trimmed).any()]
    if unnamed:
        said.append(f"{some(len(unnamed), 'column without a name is', 'columns without a name are')} passed over")
    names = [header[position] for position in keep]
    _check_names(names, where)
    cleaned, more = _clean(frame[keep].set_axis(names, axis=1))
    return LabelTable(cleaned, delimiter, [*said, *more])


def _decoded(data: bytes, where: str) -> tuple[str, list[str]]:
    for magic, what in WORKBOOKS.items():
        if data.startswith(magic):
            raise SourceError(f"{where} is {what}, not a CSV. Save the sheet as CSV (UTF-8) and lock again.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    elif data[1:2] == b"\0" or data[:1] == b"\0":  # every second byte of UTF-16 text is 0
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise SourceError(f"{where} is not the {encoding} text that it begins as (byte {error.start}). Save it as UTF-8.") from error
        encoding, text = _guessed(data, where)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise SourceError(f"{where}, line {line}: holds a zero byte, so it is no text. Export the table again, as CSV (UTF-8).")
    other = encoding not in ("utf-8", "utf-8-sig")
    return text, [f"read as {encoding}, since it is not UTF-8"] if other else []


def _guessed(data: bytes, where: str) -> tuple[str, str]:
    """cp1252 is what Excel writes in the West; where it has no such character, the most likely encoding."""
    try:
        return "cp1252", data.decode("cp1252")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(data).best()
        if best is None:
            raise SourceError(f"{where} is no text in any encoding that we know. Save it as CSV (UTF-8).") from None
        return best.encoding, str(best)


def _dialect(text: str) -> tuple[str, str, int]:
    """The text from the header on, its delimiter and how many lines stand before. Excel may state it in a first line, `sep=;`."""
    skipped = 0
    if stated := re.match(r'\ufeff?"?sep=(.)"?[,;\t|]*\r?\n', text, re.IGNORECASE):
        return text[stated.end() :], stated.group(1), 1
    body = text.lstrip("\ufeff\r\n")
    skipped = text[: len(text) - len(body)].count("\n")
    return body, max(DELIMITERS, key=lambda delimiter: _fit(body, delimiter)), skipped


def _fit(text: str, delimiter: str) -> tuple[bool, float, int]:
    """How well a delimiter parts the first rows: whether there are columns at all, the share of rows as wide as the header, the width. A
    header or a cell may hold another delimiter by the dozen."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if any(trimmed(value) for value in row):
                rows.append(row)
            if len(rows) > SAMPLED:
                break
    except csv.Error:
        pass  # said when the table is read
    if not rows:
        return False, 0.0, 0
    width = len(rows[0])
    as_wide = [len(row) >= width and not any(trimmed(value) for value in row[width:]) for row in rows[1:]]
    return width > 1, sum(as_wide) / max(len(as_wide), 1), width


def _lines(text: str, delimiter: str, skipped: int, where: str) -> list[tuple[int, list[str]]]:
    """(line in the file, values) of every row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, begins = [], skipped + 1
    try:
        for values in reader:
            if any(trimmed(value) for value in values):
                lines.append((begins, values))
            begins = skipped + reader.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{where}, line {begins}: a quoted value does not end as it should ({error}). Correct the quotes.") from error
    return lines


def _fitting(values: list[str], width: int, where: str) -> list[str]:
    beyond = [value for value in values[width:] if trimmed(value)]
    if beyond or len(values) < width:
        raise SourceError(
            f"{where}: has {len(values)} values, the header names {width}. Quote a value that holds the delimiter, or correct the line."
        )
    return values[:width]  # a delimiter at the end of each line adds empty ones


def _check_names(names: list[str], where: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if plain(name) in seen:
            raise SourceError(f"{where}: two columns are named {name!r}. Which one holds is yours to say: rename or remove the other.")
        seen[plain(name)] = name


def _clean(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The cells as `LabelTable` has them, and what to say of those that had more than blanks around them, or blanks by which one thing
    looked like several."""
    columns, apart, unseen, guarded = {}, {}, {}, {}
    for name in frame.columns:
        given = [None if pd.isna(value) else unicodedata.normalize("NFC", str(value)) for value in frame[name]]
        written = [value and value.strip() for value in given]
        filled = [(before, after) for before, after in zip(given, written, strict=True) if after]
        joins = len({before for before, _ in filled}) > len({after for _, after in filled})
        apart[name] = sum(before != after for before, after in filled) if joins else 0
        bare = [value and trimmed(value) for value in written]
        cells = [value and unguarded(value) for value in bare]
        unseen[name], guarded[name] = _differing(written, bare), _differing(bare, cells)
        columns[name] = pd.Series([value or None for value in cells], frame.index, dtype=object)
    said = (
        _counted("blanks that set spellings apart", apart)
        + _counted("characters that are not seen", unseen)
        + _counted("a spreadsheet's guards of text (=\"\", ')", guarded)
    )
    return pd.DataFrame(columns, index=frame.index), said


def _differing(before: list, after: list) -> int:
    return sum(a != b for a, b in zip(before, after, strict=True))


def _counted(what: str, cells: dict[str, int]) -> list[str]:
    columns = [f"{name} ({some(count, 'cell', 'cells')})" for name, count in cells.items() if count]
    return [f"{what} are taken off: {', '.join(columns)}"] if columns else []


def _parquet(data: bytes, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The columns that have a text a row, and what to say of the others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()  # unlike `read_table` it reads two columns of one name
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{where} cannot be read as Parquet ({error}). Write it again.") from error
    columns = list(zip(table.column_names, table.columns, strict=True))
    _check_names(table.column_names, where)
    nested = [name for name, column in columns if pa.types.is_nested(column.type)]
    if needed := [f"{name} ({table.schema.field(name).type})" for name in nested if is_read(name)]:
        raise SourceError(f"{where}, column {', '.join(needed)}: holds lists or records. Write one text or number a row.")
    flat = {name: _texts(column, f"{where}, column {name}") for name, column in columns if name not in nested}
    said = [f"columns of lists or records are passed over: {', '.join(nested)}"] if nested else []
    return pd.DataFrame(flat, index=pd.RangeIndex(1, len(table) + 1, name="row"), dtype=object), said


def _texts(column: "pa.ChunkedArray", where: str) -> list[str | None]:
    """Whole numbers that a gap made floating are written as they were: 201912000001 and not 2.01912000001e+11. Where the type cannot hold
    them all they are in E-notation, so that rounded ids are known as such. Raises SourceError where it is no text."""
    import pyarrow as pa

    try:
        texts = column.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise SourceError(f"{where}: {column.type} cannot be read as text ({error}). Write it as text, in UTF-8.") from error
    if not pa.types.is_floating(column.type):
        return texts
    number = np.dtype(column.type.to_pandas_dtype()).type
    exact = 2.0 ** {16: 11, 32: 24, 64: 53}[column.type.bit_width]

    def text_of(value: float | None, text: str | None) -> str | None:
        if value is None or math.isnan(value):
            return None
        if not value.is_integer():  # nor is an endless number
            return text
        return f"{value:.0f}" if abs(value) < exact else np.format_float_scientific(number(value), trim="0")

    return [text_of(value, text) for value, text in zip(column.to_pylist(), texts, strict=True)]
