"""Several labels of one photo. A table may say them in columns, `label_1, weight_1, label_2, weight_2`; in a cell, `{"eczema": 0.6,
"psoriasis": 0.4}`; or in a row a rater, the photo again in each. Columns named `votes_1` and so on, and raters, are counted as opinions.
"""

import ast
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.data.shares import several, shares_of
from dermlab.lock.columns import USUAL
from dermlab.lock.spelling import alike, lines_of, plain, says_nothing
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

VOTES = ("votes", "count", "raters")
WEIGHT = ("weight", "share", "probability", "prob", "confidence", *VOTES)
NUMBERED = re.compile(r"(.+?)_?(\d{1,2})")
CELL = re.compile(r"\{.*\}|\[\s*[\"'{\[].*\]", re.DOTALL)  # of weights, or of a list, which is none
THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


@dataclass(frozen=True)
class Opinions:
    """A row an opinion, in the order of the table."""

    line: pd.Series  # that of the photo; of a photo with a row a rater, of its first row
    written: pd.Series  # the line that says it
    label: pd.Series
    weight: pd.Series  # float, above 0
    rater: pd.Series | None = None  # "1", "2" and so on, by their names' order: who they are is nobody's business elsewhere
    are_votes: bool = False  # whether a weight says how many gave the label

    def at_lines(self) -> pd.Series:
        """The labels as written, by the line that says them."""
        return self.label.set_axis(pd.Index(self.written, name=self.written.name))

    def named(self, labels: pd.Series) -> "Opinions":
        """With these labels, spelt in one way. `labels`: in the order of `label`."""
        return replace(self, label=pd.Series(labels.to_numpy(), self.label.index, dtype=object))

    def of_photos(self) -> pd.DataFrame:
        """`diagnosis`, `diagnoses` (shares, None where all opinions are one), `votes` (NaN where nobody says) and, where there are raters,
        `raters`. The index is the line."""
        sums = self.weight.groupby([self.line.to_numpy(), self.label.to_numpy()]).sum()
        weights: dict[object, dict[str, float]] = {}
        for (line, label), weight in zip(sums.index, sums.to_numpy().tolist(), strict=True):
            weights.setdefault(line, {})[label] = weight
        shares = {line: shares_of(of) for line, of in weights.items()}
        votes = {line: sum(of.values()) if self.are_votes else float("nan") for line, of in weights.items()}
        found = pd.DataFrame(
            {
                "diagnosis": pd.Series({line: of[0][0] for line, of in shares.items()}, dtype=object),
                "diagnoses": pd.Series({line: several(of) for line, of in shares.items()}, dtype=object),
                "votes": pd.Series(votes, dtype=float),
            }
        )
        if self.rater is not None:
            said: dict[object, list[tuple[str, str]]] = {}
            for line, rater, label in zip(self.line.tolist(), self.rater.tolist(), self.label.tolist(), strict=True):
                said.setdefault(line, []).append((rater, label))
            found["raters"] = pd.Series({line: tuple(sorted(of)) for line, of in said.items()}, dtype=object)
        return found

    def said(self, photos: pd.DataFrame) -> list[str]:
        """photos: as `of_photos`."""
        shared = photos["diagnoses"].dropna()
        ties = sum(math.isclose(shares[0][1], shares[1][1], rel_tol=1e-6) for shares in shared)
        who = f"{some(self.rater.nunique(), 'rater', 'raters')} gave" if self.rater is not None else "the table gives"
        worth = (
            "each label is one opinion" if self.rater is not None else "weights count opinions" if self.are_votes else "weights are shares"
        )
        lines = [
            f"{who} {some(len(self.label), 'label', 'labels')} of {some(len(photos), 'photo', 'photos')} ({worth}): "
            f"{some(len(shared), 'has', 'have')} different ones, which are all kept; the label is the one of most weight"
        ]
        if ties:
            lines.append(f"in {some(ties, 'photo', 'photos')} labels have the same weight: the label is the first of them by its name")
        return lines


def weighted_columns(frame: pd.DataFrame, taken: Collection[str], where: str) -> list[tuple[str, str]]:
    """(label, weight) of each number that has both. Raises SourceError where one of them stands alone, or a number has two."""
    numbered: dict[tuple[str, int], str] = {}
    for name in frame.columns:
        found = NUMBERED.fullmatch(plain(name))
        base = found and found[1].rstrip("_")
        kind = "label" if base in USUAL["label"] else "weight" if base in WEIGHT else ""
        if not kind or name in taken or name.startswith(PREFIX):
            continue
        if other := numbered.get((kind, int(found[2]))):
            raise SourceError(f"{where}: {other} and {name} may both be {kind} {int(found[2])}. Rename or remove the one that is none.")
        numbered[kind, int(found[2])] = name
    labels, weights = ({number: name for (of, number), name in numbered.items() if of == kind} for kind in ("label", "weight"))
    if len(labels) > 1 and not weights and not any(plain(name) in USUAL["label"] for name in frame.columns):
        raise SourceError(
            f"{where}: {', '.join(labels.values())} are several labels of one photo, without what each weighs. Add weight_1, weight_2 and "
            "so on; or, where each is one rater's, write a row a rater with a column `rater`; or name the one that holds: --label-column "
            f"{labels[min(labels)]}."
        )
    if not weights or not labels:
        return []
    for these, others, lacks in ((labels, weights, "weight"), (weights, labels, "label")):
        if alone := [name for number, name in these.items() if number not in others]:
            raise SourceError(
                f"{where}: column {', '.join(alone)} has no column {lacks}_N of its number beside it. Add it, or rename the column."
            )
    return [(labels[number], weights[number]) for number in sorted(labels)]


def of_columns(raw: pd.DataFrame, pairs: list[tuple[str, str]], where: str) -> Opinions:
    """Raises SourceError where a weight is none, or a row has none above 0."""
    parts = []
    for label, weight in pairs:
        bare = raw[weight].notna() & raw[label].isna()
        if len(lines := raw[bare][_numbers(raw.loc[bare, weight], where).to_numpy() > 0]):
            raise SourceError(
                f"{where}, {lines_of(lines)}, column {label}: is empty, and {weight} has a weight. Fill it in, or empty both."
            )
        rows = raw[raw[label].notna()]
        parts.append(
            pd.DataFrame({"line": rows.index, "label": rows[label].to_numpy(), "weight": _numbers(rows[weight], where).to_numpy()})
        )
    given = pd.concat([raw[weight].dropna() for _, weight in pairs])
    _check_thousands(given.rename_axis(raw.index.name), ", ".join(weight for _, weight in pairs), where)
    rows = pd.concat(parts).sort_values("line", kind="stable", ignore_index=True)
    counted = all(NUMBERED.fullmatch(plain(weight))[1].rstrip("_") in VOTES for _, weight in pairs)
    opinions = _checked(rows, raw, ", ".join(label for label, _ in pairs), where)
    if counted and len(broken := opinions.weight[opinions.weight % 1 != 0]):
        lines = pd.Series(0, pd.Index(opinions.line[broken.index], name=opinions.line.name))
        todo = "Name the columns weight_N if they are shares."
        raise SourceError(f"{where}, {lines_of(lines)}: {broken.iloc[0]:g} is no number of votes. {todo}")
    return replace(opinions, are_votes=counted)


def are_cells(column: pd.Series) -> bool:
    """Whether the labels of a column are such cells, or some of them."""
    return bool(column.dropna().map(lambda cell: CELL.fullmatch(cell.strip()) is not None).any())


def of_cells(column: pd.Series, where: str) -> Opinions:
    """A cell that is no such is a label alone. Raises SourceError as `of_columns`."""
    found: list[tuple[object, str, object]] = []
    for line, cell in column.dropna().items():
        place = f"{where}, {column.index.name or 'line'} {line}, column {column.name}"
        found += [(line, *pair) for pair in read_weights(cell, place).items()] if CELL.fullmatch(cell.strip()) else [(line, cell, 1.0)]
    rows = pd.DataFrame(found, columns=["line", "label", "weight"])
    weights = pd.Series(rows["weight"].to_numpy(), pd.Index(rows["line"], name=column.index.name), name=column.name, dtype=object)
    return _checked(rows.assign(weight=_numbers(weights, where).to_numpy()), column.to_frame(), str(column.name), where)


def read_weights(text: str, where: str) -> dict[str, object]:
    """`{"Eczema": 0.41}` or `{'Eczema': 0.41}`; read as a literal, never evaluated. Raises SourceError."""
    try:
        cell = ast.parse(text.strip(), mode="eval").body
        names, weights = [ast.literal_eval(key) for key in cell.keys], [ast.literal_eval(value) for value in cell.values]
        if any(not isinstance(name, str) or not name.strip() for name in names) or len({*map(str.strip, names)}) < len(names):
            raise ValueError("a name is no text, or stands there twice")
        "".join(names).encode()  # half a character is none
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError) as error:
        raise SourceError(
            f'{where}: {text[:80]!r} is no weights by label, as {{"eczema": 0.6, "psoriasis": 0.4}}, each label once. Correct it.'
        ) from error
    return dict(zip(map(str.strip, names), weights, strict=True))


def _numbers(weights: pd.Series, where: str) -> pd.Series:
    """Finite and not negative. The index is the line."""
    numbers = weights.map(_number).astype(float)
    wrong = weights[~numbers.between(0, 1e12).to_numpy()]  # NaN is in no range
    if len(wrong):
        cell = wrong.iloc[0]
        what = "is empty" if cell is None or cell != cell else f"{cell!r} is no weight"
        raise SourceError(
            f"{where}, {lines_of(wrong)}, column {weights.name}: {what}. A weight is a number, 0 or more: what share of the opinions the "
            "label has, or how many gave it."
        )
    return numbers


def _check_thousands(weights: pd.Series, columns: str, where: str) -> None:
    """1,000 beside 900 is a thousand, and beside 0,500 one. weights: of all columns; the index is the line."""
    doubtful = weights.map(lambda cell: isinstance(cell, str) and THOUSANDS.fullmatch(cell.strip()) is not None).to_numpy(bool)
    if doubtful.any() and (weights[~doubtful].map(_number) > 1).any():
        raise SourceError(
            f"{where}, {lines_of(weights[doubtful])}, column {columns}: {weights[doubtful].iloc[0]!r} may be thousands or have decimals. "
            "Write it without a sign between the digits."
        )


def _number(cell: object) -> float:
    """NaN where it is none."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return float("nan")
    try:
        return float(cell.strip().removesuffix("%").replace(",", ".") if isinstance(cell, str) else cell)
    except (ValueError, OverflowError):
        return float("nan")


def _checked(rows: pd.DataFrame, raw: pd.DataFrame, columns: str, where: str) -> Opinions:
    sums = rows.groupby("line")["weight"].sum().reindex(raw.index).fillna(0.0)
    if len(none := sums[sums <= 0]):
        raise SourceError(f"{where}, {lines_of(none)}, column {columns}: no label has a weight above 0. Give one, or remove the rows.")
    rows = rows[rows["weight"] > 0].reset_index(drop=True)
    line = rows["line"].rename(raw.index.name or "line")
    return Opinions(line, line, rows["label"].astype(object), rows["weight"])


def of_raters(raw: pd.DataFrame, used: Mapping[str, str], where: str) -> tuple[Opinions, pd.DataFrame, list[str]]:
    """The opinions, one row of each photo, its first, and what to say. Raises SourceError where a rater speaks twice of a photo, nobody
    does, or the rows of one differ in what is not a rater's: its patient, its split, its answers."""
    image, rater, label = (raw[used[role]] for role in ("image", "rater", "label"))
    if len(nowhere := image[image.isna()]):
        raise SourceError(
            f"{where}, {lines_of(nowhere)}, column {image.name}: is empty. Fill it in, or leave those rows out with --skip-missing."
        )
    if len(nobody := rater[rater.map(lambda name: name is None or says_nothing(name))]):
        raise SourceError(f"{where}, {lines_of(nobody)}, column {rater.name}: names nobody. Say who gave the label, or remove the rows.")
    if are_cells(label):
        raise SourceError(
            f"{where}, column {label.name}: holds several labels a cell, and the table a row a rater. Give each rater one label, the first."
        )
    who = rater.map(alike)
    twice = pd.DataFrame({"image": image, "rater": who}).duplicated(keep=False)
    if twice.any():
        rows = raw[(image == image[twice].iloc[0]) & (who == who[twice].iloc[0])]
        raise SourceError(
            f"{where}, {lines_of(rows)}: one rater speaks {len(rows)} times of one photo (column {rater.name}). Keep the label that holds."
        )
    first_line = pd.Series(raw.index, raw.index).groupby(image, sort=False).transform("first")
    own = [name for name in raw.columns if name in [used.get(role) for role in ("patient", "case", "split")] or name.startswith(PREFIX)]
    filled = raw.assign(**{name: raw[name].where(~raw[name].map(lambda cell: cell is None or says_nothing(cell)), None) for name in own})
    for name in own:
        of_image = filled[name].map(alike, na_action="ignore").groupby(image, sort=False)
        if len(differ := raw[of_image.transform("nunique") > 1]):
            rows = differ[image[differ.index] == image[differ.index[0]]]
            raise SourceError(
                f"{where}, {lines_of(rows)}, column {name}: differs between the rows of one photo. Correct what does not hold."
            )
    given = label.notna()
    if len(mute := first_line[~first_line.isin(first_line[given])]):
        raise SourceError(
            f"{where}, {lines_of(mute)}, column {label.name}: is empty in every row of the photo. Fill it in, or remove the rows."
        )
    number_of = {name: str(number) for number, name in enumerate(sorted(who[given].unique()), 1)}
    opinions = Opinions(
        first_line[given].reset_index(drop=True),
        pd.Series(raw.index[given], name=raw.index.name),
        label[given].reset_index(drop=True),
        pd.Series(1.0, range(int(given.sum()))),
        who[given].map(number_of).reset_index(drop=True),
        are_votes=True,
    )
    filled = filled.assign(**{name: filled[name].groupby(image, sort=False).transform("first") for name in own})
    filled = filled.assign(**{name: filled[name].fillna(raw[name]) for name in own})  # a word for nothing is said to be one further on
    said = [f"raters are numbered in the order of their names in {rater.name}, which are not kept"]
    if silent := int((~given).sum()):
        said.append(f"{some(silent, 'row without a label counts', 'rows without a label count')} as no opinion of its rater")
    return opinions, filled.loc[first_line.unique()], said


def opinions_of(
    raw: pd.DataFrame, used: dict[str, str], pairs: list[tuple[str, str]], where: str, rater_was_named: bool
) -> tuple[Opinions | None, pd.DataFrame, list[str]]:
    """The opinions, None where each photo has one label; one row a photo; and what to say. `used`: role -> column, of which `rater` is
    taken out where no photo comes twice, unless it was named."""
    again = bool(raw[used["image"]].dropna().duplicated().any())
    if "rater" in used and not (rater_was_named or again):
        del used["rater"]
    if "rater" in used and pairs:
        raise SourceError(
            f"{where}: has a row a rater (column {used['rater']}) and labels with weights ({pairs[0][0]}, {pairs[0][1]}). Give each rater "
            "one label, the first, in a column `label`; or one row a photo with the weights of all raters together."
        )
    if "rater" in used:
        others = [name for name in raw.columns if plain(name) in USUAL["rater"] and name != used["rater"]]
        if others and not rater_was_named:
            raise SourceError(
                f"{where}: {used['rater']} and {', '.join(others)} may both be the rater. Say which: --rater-column {used['rater']}"
            )
        return of_raters(raw, used, where)
    if pairs:
        return of_columns(raw, pairs, where), raw, []
    return (of_cells(raw[used["label"]], where), raw, []) if are_cells(raw[used["label"]]) else (None, raw, [])
