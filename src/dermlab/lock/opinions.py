"""Several labels of one photo. A table may say them in columns, `label_1, weight_1, label_2, weight_2`; in a cell, `{"eczema": 0.6,
"psoriasis": 0.4}`; or in a row a rater, the photo again in each. Where weights are whole numbers they are votes.
"""

import ast
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.data.shares import shares_of
from dermlab.lock.columns import USUAL
from dermlab.lock.spelling import lines_of, plain
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

WEIGHT = ("weight", "share", "probability", "prob", "votes", "confidence")
NUMBERED = re.compile(r"(.+?)_?([1-9]\d?)")


@dataclass(frozen=True)
class Opinions:
    """A row an opinion, in the order of the table."""

    line: pd.Series  # that of the photo; of a photo with a row a rater, of its first row
    written: pd.Series  # the line that says it
    label: pd.Series
    weight: pd.Series  # float, above 0
    rater: pd.Series | None = None  # "1", "2" and so on, by their names' order: who they are is nobody's business elsewhere

    def at_lines(self) -> pd.Series:
        """The labels as written, by the line that says them."""
        return self.label.set_axis(pd.Index(self.written, name=self.written.name))

    def named(self, labels: pd.Series) -> "Opinions":
        """With these labels, spelt in one way. `labels`: in the order of `label`."""
        return replace(self, label=pd.Series(labels.to_numpy(), self.label.index, dtype=object))

    def of_photos(self) -> pd.DataFrame:
        """`diagnosis`, `diagnoses` (shares, None where all opinions are one), `votes` (NaN where nobody says) and, where there are raters,
        `raters`. The index is the line."""
        shares = {line: shares_of(_sums(self.label[rows], self.weight[rows])) for line, rows in self.line.groupby(self.line).groups.items()}
        votes = self.weight.groupby(self.line).sum() if self._are_votes else pd.Series(float("nan"), list(shares))
        found = pd.DataFrame(
            {
                "diagnosis": pd.Series({line: of[0][0] for line, of in shares.items()}, dtype=object),
                "diagnoses": pd.Series({line: of if len(of) > 1 else None for line, of in shares.items()}, dtype=object),
                "votes": votes,
            }
        )
        if self.rater is not None:
            by_line = self.line.groupby(self.line).groups
            said = {line: tuple(sorted(zip(self.rater[rows], self.label[rows], strict=True))) for line, rows in by_line.items()}
            found["raters"] = pd.Series(said, dtype=object)
        return found

    @property
    def _are_votes(self) -> bool:
        return self.rater is not None or (bool((self.weight % 1 == 0).all()) and self.weight.groupby(self.line).sum().max() > 1)

    def said(self) -> list[str]:
        photos = self.of_photos()
        several = [shares for shares in photos["diagnoses"] if shares]
        ties = sum(math.isclose(shares[0][1], shares[1][1], rel_tol=1e-6) for shares in several)
        who = f"{some(self.rater.nunique(), 'rater', 'raters')} gave" if self.rater is not None else "The table gives"
        lines = [
            f"{who[0].lower()}{who[1:]} {some(len(self.label), 'label', 'labels')} of {some(len(photos), 'photo', 'photos')}: "
            f"{some(len(several), 'has', 'have')} several, and all are kept; the label is the one of most weight"
        ]
        if ties:
            lines.append(f"in {some(ties, 'photo', 'photos')} two labels have the same weight: the label is the first of them by its name")
        return lines


def _sums(labels: pd.Series, weights: pd.Series) -> dict[str, float]:
    return weights.groupby(labels.to_numpy()).sum().to_dict()


def weighted_columns(frame: pd.DataFrame, taken: Collection[str], where: str) -> list[tuple[str, str]]:
    """(label, weight) of each number that has both. Raises SourceError where a further label has no weight."""
    numbered: dict[tuple[str, str], str] = {}
    for name in frame.columns:
        found = NUMBERED.fullmatch(plain(name))
        if found and name not in taken and not name.startswith(PREFIX):
            base = found[1].rstrip("_")
            kind = "label" if base in USUAL["label"] else "weight" if base in WEIGHT else ""
            if kind:
                numbered[kind, found[2]] = name
    labels, weights = ({number: name for (of, number), name in numbered.items() if of == kind} for kind in ("label", "weight"))
    if not weights or not labels:
        return []
    for these, others, lacks in ((labels, weights, "weight"), (weights, labels, "label")):
        if alone := [name for number, name in these.items() if number not in others]:
            raise SourceError(
                f"{where}: column {', '.join(alone)} has no column {lacks}_N of its number beside it. Add it, or rename the column."
            )
    return [(labels[number], weights[number]) for number in sorted(labels, key=int)]


def of_columns(raw: pd.DataFrame, pairs: list[tuple[str, str]], where: str) -> Opinions:
    """Raises SourceError where a weight is none, or a row has none above 0."""
    parts = []
    for label, weight in pairs:
        bare = raw[weight].notna() & raw[label].isna() & ~raw[weight].isin(["0", "0.0"])
        if len(lines := raw[bare]):
            raise SourceError(
                f"{where}, {lines_of(lines)}, column {label}: is empty, and {weight} has a weight. Fill it in, or empty both."
            )
        rows = raw[raw[label].notna()]
        parts.append(
            pd.DataFrame({"line": rows.index, "label": rows[label].to_numpy(), "weight": _numbers(rows[weight], where).to_numpy()})
        )
    return _checked(
        pd.concat(parts).sort_values("line", kind="stable", ignore_index=True), raw, ", ".join(label for label, _ in pairs), where
    )


def are_cells(column: pd.Series) -> bool:
    """Whether the labels of a column are such cells, or some of them."""
    return bool(column.dropna().str.fullmatch(r"\s*\{.*\}\s*", flags=re.DOTALL).any())


def of_cells(column: pd.Series, where: str) -> Opinions:
    """A cell that is no such is a label alone. Raises SourceError as `of_columns`."""
    found: list[tuple[object, str, object]] = []
    for line, cell in column.dropna().items():
        place = f"{where}, {column.index.name or 'line'} {line}, column {column.name}"
        found += [(line, *pair) for pair in read_weights(cell, place).items()] if cell.lstrip().startswith("{") else [(line, cell, 1.0)]
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
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError) as error:
        raise SourceError(
            f'{where}: {text[:80]!r} is no weights by label, as {{"eczema": 0.6, "psoriasis": 0.4}}, each label once. Correct it.'
        ) from error
    return dict(zip(map(str.strip, names), weights, strict=True))


def _numbers(weights: pd.Series, where: str) -> pd.Series:
    """Finite and not negative. The index is the line."""
    numbers = pd.to_numeric(weights.map(lambda cell: cell.replace(",", ".") if isinstance(cell, str) else cell), errors="coerce").astype(
        float
    )
    wrong = weights[~numbers.between(0, 1e12)]  # NaN is in no range
    if len(wrong):
        cell = wrong.iloc[0]
        what = "is empty" if cell is None or cell != cell else f"{cell!r} is no weight"
        raise SourceError(
            f"{where}, {lines_of(wrong)}, column {weights.name}: {what}. A weight is a number, 0 or more: what share of the opinions the "
            "label has, or how many gave it."
        )
    return numbers


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
    if len(nobody := rater[rater.isna()]):
        raise SourceError(f"{where}, {lines_of(nobody)}, column {rater.name}: is empty. Say who gave the label, or remove the rows.")
    twice = pd.DataFrame({"image": image, "rater": rater}).duplicated(keep=False)
    if twice.any():
        first = image[twice].iloc[0], rater[twice].iloc[0]
        rows = raw[(image == first[0]) & (rater == first[1])]
        raise SourceError(
            f"{where}, {lines_of(rows)}: one rater speaks {len(rows)} times of one photo (column {rater.name}). Keep the label that holds."
        )
    first_line = pd.Series(raw.index, raw.index).groupby(image, sort=False).transform("first")
    own = [name for name in raw.columns if name in [used.get(role) for role in ("patient", "case", "split")] or name.startswith(PREFIX)]
    for name in own:
        of_image = raw[name].groupby(image, sort=False)
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
    number_of = {name: str(number) for number, name in enumerate(sorted(rater[given].unique()), 1)}
    opinions = Opinions(
        first_line[given].reset_index(drop=True),
        pd.Series(raw.index[given], name=raw.index.name),
        label[given].reset_index(drop=True),
        pd.Series(1.0, range(int(given.sum()))),
        rater[given].map(number_of).reset_index(drop=True),
    )
    filled = raw.assign(**{name: raw[name].groupby(image, sort=False).transform("first") for name in own})
    said = [f"raters are numbered by the order of their names in {rater.name}, which are not kept"]
    if silent := int((~given).sum()):
        said.append(f"{some(silent, 'row without a label counts', 'rows without a label count')} as no opinion of its rater")
    return opinions, filled.loc[first_line.unique()], said


def opinions_of(
    raw: pd.DataFrame, used: dict[str, str], pairs: list[tuple[str, str]], where: str, rater_was_named: bool
) -> tuple[Opinions | None, pd.DataFrame, list[str]]:
    """The opinions, None where each photo has one label; one row a photo; and what to say. `used`: role -> column, of which `rater` is
    taken out where no photo comes twice, unless it was named."""
    if "rater" in used and not (rater_was_named or raw[used["image"]].dropna().duplicated().any()):
        del used["rater"]
    if "rater" in used:
        opinions, raw, said = of_raters(raw, used, where)
        return opinions, raw, said + opinions.said()
    if pairs:
        opinions = of_columns(raw, pairs, where)
    elif are_cells(raw[used["label"]]):
        opinions = of_cells(raw[used["label"]], where)
    else:
        return None, raw, []
    return opinions, raw, opinions.said()
