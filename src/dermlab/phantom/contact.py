"""A contact sheet of the clinic: one photo a condition, then what should not be there."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dermlab.phantom.clinic import Clinic
from dermlab.phantom.conditions import CONDITIONS
from dermlab.phantom.drawing import draw
from dermlab.phantom.looks import NUMBERS

_TILE, _CAPTION, _GAP = 150, 18, 6  # pixels
_GARBAGE = ("document", "no_skin", "wrong_part")


def contact_sheet(clinic: Clinic, rows: int, columns: int) -> Image.Image:
    """At most `rows` x `columns` tiles: the targets from the commonest, garbage, then the pool; the caption tells the truth."""
    sheet = Image.new("RGB", (columns * (_TILE + _GAP) + _GAP, rows * (_TILE + _CAPTION + _GAP) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for number, (row, caption) in enumerate(_chosen(clinic)[: rows * columns]):
        left = _GAP + (number % columns) * (_TILE + _GAP)
        top = _GAP + (number // columns) * (_TILE + _CAPTION + _GAP)
        photo = ImageOps.exif_transpose(Image.open(io.BytesIO(draw(clinic.recipes[row])))).convert("RGB")
        sheet.paste(ImageOps.fit(photo, (_TILE, _TILE)), (left, top))
        while font.getlength(caption) > _TILE:
            caption = caption.removesuffix("…")[:-1] + "…"
        pen.text((left, top + _TILE + 2), caption, fill="black", font=font)
    return sheet


def _chosen(clinic: Clinic) -> list[tuple[int, str]]:
    """Row and caption of each tile."""
    whole = [not recipe.spoil for recipe in clinic.recipes]
    kinds, diagnoses = clinic.truth["kind"].tolist(), clinic.manifest["diagnosis"].tolist()
    typical: dict[str, int] = {}  # the most typical photo of each diagnosis
    garbage: dict[str, list[int]] = {kind: [] for kind in _GARBAGE}
    for row, (kind, diagnosis) in enumerate(zip(kinds, diagnoses, strict=True)):
        if whole[row] and kind == "clean":
            if diagnosis not in typical or _strangeness(clinic, row) < _strangeness(clinic, typical[diagnosis]):
                typical[diagnosis] = row
        elif whole[row] and kind in garbage:
            garbage[kind].append(row)
    targets = [(typical[name], name) for name in clinic.classes.targets if name in typical]
    spoiled = [(row, kind.replace("_", " ")) for kind, found in garbage.items() for row in found[:2]]
    pool = [(row, f"{name} (other)") for name, row in sorted(typical.items()) if name not in clinic.classes.targets]
    return targets + spoiled + pool


def _strangeness(clinic: Clinic, row: int) -> float:
    """How far a photo's style lies from that of its diagnosis."""
    own, typical = clinic.recipes[row].look.style, CONDITIONS[clinic.manifest["diagnosis"].iat[row]].style
    return float(sum(abs(np.log((getattr(own, name) + 0.1) / (getattr(typical, name) + 0.1))) for name in NUMBERS))
