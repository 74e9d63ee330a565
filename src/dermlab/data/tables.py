"""Parquet tables with fixed Arrow schemas, checked where they are read and where they are written.

Rows are sorted by `image_id` on writing, so the same input gives the same bytes. An error names file, column and row.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import PREFIX, Questionnaire
from dermlab.data.shares import ROUNDING
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path

SPLITS = ("train", "val", "test")
HELD_OUT_FOLD = "held_out"  # of the manifest alone: the held-out fold, training rows that the model is to predict and does not see
CASE = "case_id"
PROB_PREFIX = "prob_"
NOTE_PREFIX = "note_"  # what a source says of a row that no model may see, such as how a diagnosis was made
INDEX = re.compile(r"__index_level_\d+__")  # what pandas adds where rows were left out of a table; it says nothing
Check = Callable[[pa.Table, str], None]


@dataclass(frozen=True)
class Schema:
    fields: tuple[pa.Field, ...]  # the columns every such table has
    nullable: frozenset[str] = frozenset()  # those of them that may be null
    open_prefix: tuple[str, ...] = ()  # columns with these prefixes come besides (questionnaire answers, class probabilities)
    optional: tuple[pa.Field, ...] = ()  # columns that some such tables have, and may be null
    unit: frozenset[str] = frozenset()  # columns whose values lie in 0..1
    checks: tuple[Check, ...] = field(default=())

    @property
    def names(self) -> list[str]:
        return [f.name for f in self.fields]


def _fields(**types: pa.DataType) -> tuple[pa.Field, ...]:
    return (pa.field("image_id", pa.string()), *(pa.field(name, kind) for name, kind in types.items()))


def _one_of(column: str, valid: tuple[str, ...]) -> Check:
    def check(table: pa.Table, where: str) -> None:
        bad = pc.invert(pc.is_in(table[column], pa.array(valid)))
        if (row := _first(bad)) is not None:
            raise ContractError(f"{where}, column {column}, row {row}: {table[column][row]} is not one of {', '.join(valid)}.")

    return check


def _shares_sum_to_one(column: str, of_split: str | None = None) -> Check:
    """`of_split`: the only split whose rows may have them."""

    def check(table: pa.Table, where: str) -> None:
        if column not in table.column_names:
            return
        given = pc.is_valid(table[column])
        if of_split and (row := _first(pc.and_(given, pc.not_equal(table["split"], of_split)))) is not None:
            raise ContractError(f"{where}, column {column}, row {row}: only rows of split {of_split} have more than their label.")
        for row, shares in enumerate(table[column].to_pylist()):
            if shares is None:
                continue
            names, parts = [name for name, _ in shares], [part for _, part in shares]
            wrong = [part for part in parts if part is None or not 0 < part <= 1 + ROUNDING]
            if wrong or len(set(names)) < len(names) or abs(sum(parts) - 1) > ROUNDING:
                raise ContractError(f"{where}, column {column}, row {row}: {shares} are no shares above 0 that sum to 1, a name each.")

    return check


def _check_patient_in_one_split(table: pa.Table, where: str) -> None:
    pairs = table.select(["patient_id", "split"]).group_by("patient_id").aggregate([("split", "count_distinct")])
    crossing = pc.sum(pc.greater(pairs["split_count_distinct"], 1)).as_py() or 0
    if crossing:
        seen = pairs.filter(pc.greater(pairs["split_count_distinct"], 1))["patient_id"][0].as_py()
        row = pc.index(table["patient_id"], seen).as_py()
        raise ContractError(
            f"{where}: {crossing} patient(s) have images in more than one split (first at row {row}). A model would be "
            "tested on patients it was trained on: give every image of a patient the same split, or leave `split` out "
            "and let dermlab split by patient."
        )


_STR, _F32, _F64, _I32, _I64, _BOOL = pa.string(), pa.float32(), pa.float64(), pa.int32(), pa.int64(), pa.bool_()
SHARES = pa.map_(_STR, _F64)  # as dermlab.data.shares
OPINIONS = (pa.field("votes", _F64), pa.field("raters", pa.map_(_STR, _STR)))

# `diagnoses`: of a row with several, what share of the opinions each has; `diagnosis` is the first of them. `votes`: how many opinions that
# rests on, null where nobody says. `raters`: what each said, by number. In the catalog `labels` and `raters` speak of classes.
SOURCE_MANIFEST = Schema(
    _fields(patient_id=_STR, case_id=_STR, key=_STR, size=_I64, etag=_STR, diagnosis=_STR, split=_STR),
    nullable=frozenset({"size", "etag", "split"}),
    open_prefix=(PREFIX, NOTE_PREFIX),
    optional=(pa.field("diagnoses", SHARES), *OPINIONS),
    checks=(_shares_sum_to_one("diagnoses"),),
)
CATALOG = Schema(
    _fields(patient_id=_STR, case_id=_STR, diagnosis=_STR, label=_STR, split=_STR),
    open_prefix=(PREFIX, NOTE_PREFIX),
    optional=(pa.field("labels", SHARES), *OPINIONS),
    checks=(_one_of("split", SPLITS), _check_patient_in_one_split, _shares_sum_to_one("labels")),
)
# All that goes down to the stages of pixels; nothing that a label can change.
WANTED = Schema(_fields(key=_STR, size=_I64, etag=_STR), nullable=frozenset({"size", "etag"}))
# `sha256`: of the JPEG in the shard, so that it stands for the pixels that later stages see.
IMAGES = Schema(_fields(width=_I32, height=_I32, sha256=_STR, phash=pa.uint64(), shard=_I32, row=_I32))
QUARANTINE = Schema(_fields(reason=_STR))
TRUTH = Schema(_fields(true_label=_STR, kind=_STR, duplicate_of=_STR), nullable=frozenset({"duplicate_of"}))
# What is wrong with a training row, the first that applies. `conflict`: copies of one photo that bear different labels. `hard`: the
# classifier contradicts the label, but the evidence does not suffice to call it wrong.
ISSUES = ("leak", "conflict", "garbage", "duplicate", "mislabeled", "hard", "none")
# `suggested_prob`: of the suggestion, given label and photo. `spread`: standard deviation of p(given) over the repeated folds.
# `agreement`: of the nearest neighbours' votes with the given label. `neighbours`: ids, nearest first, other patients only.
# `review_rank`: 1 is the row to show a person first; null where there is nothing to ask.
FLAGS = Schema(
    _fields(
        given=_STR, suggested=_STR, suggested_prob=_F32, quality=_F32, spread=_F32, agreement=_F32, issue=_STR, label_issue=_BOOL,
        neighbours=pa.list_(_STR), duplicate_of=_STR, outlier_score=_F32, not_skin_score=_F32, leak=_BOOL, protected=_BOOL,
        review_rank=_I32,
    ),
    nullable=frozenset({"duplicate_of", "review_rank"}),
    unit=frozenset({"suggested_prob", "quality", "spread", "agreement", "outlier_score", "not_skin_score"}),
    checks=(_one_of("issue", ISSUES),),
)  # fmt: skip
# `labels`: what a training row is trained towards, each with its share; null where its label is all.
MANIFEST = Schema(
    _fields(label=_STR, split=_STR, weight=_F32, origin=_STR, labels=SHARES),
    nullable=frozenset({"labels"}),
    checks=(_one_of("split", (*SPLITS, HELD_OUT_FOLD)), _shares_sum_to_one("labels", "train")),
)
# `frozen_2`, `finetune_1`: the class predicted in that epoch of that phase, before the row's step; null where the row was not drawn. Where
# the head is fitted at once (`train.frozen_solver`), `frozen_1` is of every row, as the head that was kept of the fit predicts it.
LEARNT = Schema(_fields(), open_prefix=("frozen_", "finetune_"))
# Predictions of elsewhere, and of before there were cases, have no CASE.
PREDICTIONS = Schema(
    _fields(patient_id=_STR, diagnosis=_STR, label=_STR),
    open_prefix=(CASE, PROB_PREFIX),
    optional=(pa.field("labels", SHARES), *OPINIONS[:1]),
    checks=(_shares_sum_to_one("labels"),),
)

# What a row of the truth table may be. `hard`: rightly labelled, drawn to look unlike its class.
TRUTH_KINDS = ("clean", "hard", "mislabeled", "document", "no_skin", "wrong_part", "duplicate")


def write_table(path: Path, table: pd.DataFrame | pa.Table, schema: Schema, questions: Questionnaire = ()) -> None:
    """Casts to the schema, checks, sorts by image_id and writes atomically. Raises ContractError."""
    if isinstance(table, pd.DataFrame):
        table = _from_pandas(table, schema, questions, str(path))
    table = check_table(table, schema, str(path)).sort_by("image_id").combine_chunks()
    with atomic_path(path) as unfinished:
        pq.write_table(table, unfinished, compression="zstd")


def read_table(path: Path, schema: Schema, columns: list[str] | None = None) -> pd.DataFrame:
    """The checked table, sorted by image_id. Raises ContractError where file, column or row break the contract.

    Multi-select answers come as tuples of strings or None, shares as those of dermlab.data.shares; other missing answers as NaN or None.
    """
    path = Path(path)
    if not path.exists():
        raise ContractError(f"{path} does not exist. Run the stage that writes it: `dvc repro`.")
    try:
        table = pq.read_table(path, columns=columns)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise ContractError(f"{path} cannot be read as Parquet ({said}). Restore it with `dvc checkout`, or write it again.") from error
    if columns is None:
        table = check_table(table, schema, str(path))
    frame = table.to_pandas(ignore_metadata=True)  # or what pandas had for an index would be no column
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_list(kind) or pa.types.is_map(kind):
            frame[name] = pd.Series([None if v is None else tuple(v) for v in table[name].to_pylist()], dtype=object)
    return frame


def check_table(table: pa.Table, schema: Schema, where: str) -> pa.Table:
    """The table with its columns in schema order. Raises ContractError."""
    extra = [n for n in table.column_names if n not in schema.names and not INDEX.fullmatch(n)]
    optional = {f.name: f for f in schema.optional}
    unknown = [n for n in extra if not n.startswith(schema.open_prefix) and n not in optional]
    missing = [n for n in schema.names if n not in table.column_names]
    if missing or unknown:
        says = [f"column {n} is missing" for n in missing] + [f"column {n} is not part of this table" for n in unknown]
        raise ContractError(f"{where}: {'; '.join(says)}. It has: {', '.join(table.column_names)}.")
    table = _plain_text(table.select(schema.names + extra))
    for expected in (*schema.fields, *(optional[name] for name in extra if name in optional)):
        column = table[expected.name]
        if column.type != expected.type:
            raise ContractError(f"{where}, column {expected.name}: is {column.type}, must be {expected.type}.")
        if expected.name not in schema.nullable and expected.name not in optional and column.null_count:
            raise ContractError(f"{where}, column {expected.name}, row {_first(pc.is_null(column))}: is empty.")
        if expected.name in schema.unit:
            outside = pc.invert(pc.and_(pc.greater_equal(column, 0.0), pc.less_equal(column, 1.0)))
            if (row := _first(outside)) is not None:
                raise ContractError(f"{where}, column {expected.name}, row {row}: {column[row]} is not in 0..1.")
    ids = table["image_id"]
    if len(pc.unique(ids)) != len(ids):
        values = ids.to_pandas()
        row = int(values.duplicated().argmax())
        raise ContractError(f"{where}, column image_id, row {row}: the id {values[row]!r} stands there a second time. Ids must be unique.")
    for check in schema.checks:
        check(table, where)
    return table


def _plain_text(table: pa.Table) -> pa.Table:
    """Text as every table here has it: pandas writes `large_string`, or numbers of words, and means the same."""
    for at, column in enumerate(table.schema):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if column.type != pa.string() and (pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_string(kind)):
            table = table.set_column(at, column.name, table[column.name].cast(kind).cast(pa.string()))
    return table


def prob_columns(classes: Classes) -> list[str]:
    """The K+1 probability columns of the predictions table, in label order."""
    return [PROB_PREFIX + name for name in classes.names]


def _from_pandas(frame: pd.DataFrame, schema: Schema, questions: Questionnaire, where: str) -> pa.Table:
    known = {f.name: f for f in (*schema.fields, *schema.optional, *(q.field for q in questions))}
    columns, fields = [], []
    for name in frame.columns:
        wanted = known[name].type if name in known else (_F32 if str(name).startswith(PROB_PREFIX) else None)
        try:
            columns.append(pa.array(_plain(frame[name]), type=wanted, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ContractError(f"{where}, column {name}: {error}") from error
        fields.append(pa.field(str(name), columns[-1].type))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _plain(column: pd.Series) -> list | pd.Series:
    if column.dtype == object:
        return [list(v) if isinstance(v, tuple) else (None if v is None or v is pd.NA or v != v else v) for v in column]
    return column


def _first(mask: pa.ChunkedArray | pa.Array) -> int | None:
    position = pc.index(mask, True).as_py()
    return None if position < 0 else position
