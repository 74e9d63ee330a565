"""Garbage a clinic receives: scanned pages, and photos that show no skin."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dermlab.phantom.noise import noise
from dermlab.phantom.skin import background

_WORDS = (  # noqa: SIM905 - a text is easier to read than a list
    "referral patient history of rash since medication allergies none reported plan review in four weeks dear colleague "
    "thank you for seeing this insurance number date of birth signature department of dermatology prescription apply twice daily"
).split()


def draw_document(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[3, H, W], 0..1: a letter or a form on a desk, nearly filling the frame, slightly turned."""
    height, width = shape
    margin = int(0.07 * min(shape))
    page = Image.new("RGB", (width, height), tuple(int(v) for v in rng.integers(226, 250) + np.array([0, -2, -8])))
    pen = ImageDraw.Draw(page)
    ink = tuple(int(v) for v in rng.integers(20, 70) + np.array([0, 0, 15]))
    font, head = ImageFont.load_default(size=9), ImageFont.load_default(size=15)
    y = margin
    pen.text((margin, y), str(rng.choice(["Referral letter", "Patient form", "Laboratory report", "Prescription"])), fill=ink, font=head)
    pen.line([(margin, y + 20), (width - margin, y + 20)], fill=ink)
    y += 26
    table = rng.random() < 0.45
    while y < height - margin - 12:
        if table and 0.35 < y / height < 0.7:
            for column in np.linspace(margin, width - margin, 5):
                pen.line([(column, y), (column, y + 12)], fill=ink)
            pen.rectangle([margin, y, width - margin, y + 12], outline=ink)
            for column in np.linspace(margin, width - margin, 5)[:-1]:
                pen.text((column + 3, y + 1), str(rng.choice(_WORDS))[:6], fill=ink, font=font)
        else:
            line = ""
            stop = width - 2 * margin - (rng.uniform(0, 0.5) * width if rng.random() < 0.25 else 0)
            while font.getlength(line) < stop - 30:
                line += str(rng.choice(_WORDS)) + " "
            pen.text((margin, y), line, fill=ink, font=font)
        y += 12 if rng.random() < 0.85 else 18
    if rng.random() < 0.6:  # a stamp or a signature
        x, y = rng.uniform(0.5, 0.7) * width, 0.78 * height
        points = [(x + 4 * i, y + 7 * np.sin(i * rng.uniform(0.8, 1.4)) + rng.normal(0, 2)) for i in range(14)]
        pen.line(points, fill=(30, 40, 130), width=2)
    turned = page.rotate(float(rng.normal(0, 4)), Image.Resampling.BICUBIC, expand=False, fillcolor=None)
    mask = Image.new("L", (width, height), 255).rotate(float(rng.normal(0, 2)), fillcolor=0)
    desk = background(shape, rng)
    inside = np.asarray(mask.filter(ImageFilter.GaussianBlur(1)), np.float32) / 255
    return desk + inside * (np.asarray(turned, np.float32).transpose(2, 0, 1) / 255 - desk)


def draw_no_skin(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[3, H, W], 0..1: a wall, a wooden table, a pet's fur, tiles, a covered lens."""
    return _SCENES[int(rng.integers(len(_SCENES)))](shape, rng).astype(np.float32).transpose(2, 0, 1)


def _grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / min(shape)
    return columns, rows


def _wall(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """With a skirting board, a floor, and a socket."""
    x, y = _grid(shape)
    paint = np.clip(rng.uniform(0.55, 0.9) + rng.normal(0, 0.07, 3), 0, 1)
    photo = np.ones((*shape, 3), np.float32) * paint.astype(np.float32) * (1 + 0.02 * noise(rng, shape, 8, 4))[..., None]
    board, slope = rng.uniform(0.6, 0.75), rng.normal(0, 0.05)
    line = y - board - slope * x
    floor = np.array([0.42, 0.3, 0.2], np.float32) * rng.uniform(0.6, 1.3) * (1 + 0.08 * np.sin(x * 40 + 3 * y))[..., None]
    photo = np.where((line > 0.1)[..., None], floor, photo)
    photo = np.where(((line > 0) & (line <= 0.1))[..., None], np.float32(0.93), photo)
    cx, cy = rng.uniform(0.25, 0.9), rng.uniform(0.2, 0.45)
    plate = (np.abs(x - cx) < 0.09) & (np.abs(y - cy) < 0.09)
    photo = np.where(plate[..., None], np.float32(0.96), photo)
    holes = (np.hypot(np.abs(x - cx) - 0.03, y - cy) < 0.013) | (plate & (np.maximum(np.abs(x - cx), np.abs(y - cy)) > 0.083))
    return np.where(holes[..., None], photo * 0.4, photo)


def _table(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Planks, and a mug seen from above."""
    x, y = _grid(shape)
    plank = np.floor(y / 0.22)
    grain = np.sin((y + 0.015 * noise(rng, shape, 64, 16)) * 170 + plank * 2.1) * 0.07
    photo = np.array([0.56, 0.36, 0.2], np.float32) * (1 + grain + 0.1 * np.sin(plank * 7.3))[..., None] * np.float32(rng.uniform(0.7, 1.4))
    photo = np.where(((y % 0.22) < 0.008)[..., None], photo * 0.35, photo)
    d = np.hypot(x - rng.uniform(0.3, 1.0), y - rng.uniform(0.3, 0.7)) / 0.22
    mug = np.clip(rng.uniform(0.1, 0.9, 3), 0, 1).astype(np.float32)
    photo = np.where((d < 1)[..., None], mug * (0.75 + 0.25 * (1 - d))[..., None], photo)
    return np.where((d < 0.84)[..., None], np.array([0.16, 0.09, 0.05], np.float32), photo)


def _fur(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A dog or a cat: strokes of fur, two eyes and a nose."""
    height, width = shape
    coat = np.array([[200, 160, 105], [90, 70, 55], [165, 165, 165], [225, 215, 200]])[int(rng.integers(4))]
    sheet = Image.new("RGB", (width, height), tuple(int(v * 0.6) for v in coat))
    pen = ImageDraw.Draw(sheet)
    middle = (width / 2 + rng.normal(0, 0.05 * width), height / 2)
    for x, y, tone, bend in zip(
        rng.uniform(0, width, 2600), rng.uniform(0, height, 2600), rng.uniform(0.6, 1.2, 2600), rng.normal(0, 0.25, 2600), strict=True
    ):
        angle = np.arctan2(y - middle[1], x - middle[0]) + bend
        fill = tuple(int(min(255, v * tone)) for v in coat)
        pen.line([(x, y), (x + 13 * np.cos(angle), y + 13 * np.sin(angle))], fill=fill)
    unit = min(shape)
    for side in (-1, 1):
        x, y, r = middle[0] + side * 0.17 * unit, middle[1] - 0.1 * unit, 0.05 * unit
        pen.ellipse([x - r, y - r, x + r, y + r], fill=(200, 160, 40))
        pen.ellipse([x - 0.55 * r, y - r, x + 0.55 * r, y + r], fill=(12, 10, 10))
    x, y, r = middle[0], middle[1] + 0.13 * unit, 0.06 * unit
    pen.polygon([(x - r, y), (x + r, y), (x, y + r)], fill=(40, 25, 25))
    pen.line([(x, y + r), (x, y + 2 * r)], fill=(40, 25, 25), width=2)
    return np.asarray(sheet, np.float32) / 255


def _tiles(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid(shape)
    angle = rng.normal(0, 0.25)
    u, v = (x * np.cos(angle) + y * np.sin(angle)) / 0.26, (y * np.cos(angle) - x * np.sin(angle)) / 0.26
    even = ((np.floor(u) + np.floor(v)) % 2)[..., None]
    first, second = (np.clip(rng.uniform(0.2, 0.95) + rng.normal(0, 0.08, 3), 0, 1).astype(np.float32) for _ in range(2))
    photo = (even * first + (1 - even) * second) * (1 + 0.03 * noise(rng, shape, 32, 8))[..., None]
    return np.where(((u % 1 < 0.04) | (v % 1 < 0.04))[..., None], np.float32(0.6), photo)


def _covered_lens(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid(shape)
    glow = np.exp(-(((x - rng.uniform(0, 1.3)) / 0.5) ** 2) - ((y - rng.uniform(0, 1)) / 0.5) ** 2)
    return 0.03 + glow[..., None] * np.array([0.3, 0.08, 0.05], np.float32) * np.float32(rng.uniform(0.2, 1))


_SCENES = (_wall, _table, _fur, _tiles, _covered_lens)
