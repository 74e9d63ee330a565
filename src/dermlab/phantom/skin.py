"""Healthy skin at a body site, as a phone sees it: tone, mottling, creases, limbs before a background, a face, a nail, hair."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dermlab.phantom.noise import noise
from dermlab.phantom.recipes import Look

# Monk (2022), skin tone scale, sRGB.
_MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
_MONK_RGB = np.array([[int(tone[i : i + 2], 16) for i in (0, 2, 4)] for tone in _MONK], np.float32) / 255

# Half width in short sides of a photo at zoom 1; sites without one fill the frame.
_LIMB_WIDTH = {"arm": 0.5, "leg": 0.68, "neck": 0.7, "back_of_hand": 0.62, "foot_top": 0.6, "foot_sole": 0.62, "palm": 0.66}
_HAIRS = {"arm": 45, "leg": 70, "torso_front": 25, "torso_back": 10, "face": 12, "neck": 15, "groin": 60, "buttocks": 10, "foot_top": 12,
          "back_of_hand": 14}  # fmt: skip
_CREASES = {"palm": 0.07, "foot_sole": 0.06, "back_of_hand": 0.055, "neck": 0.045, "foot_top": 0.035}


@dataclass(frozen=True)
class View:
    """Where the camera stands: `photo = zoom * rotation * (body - centre)`, in short sides, the photo's centre at 0. x, y: [H, W], the
    body's coordinates of every pixel."""

    centre: tuple[float, float]
    angle: float
    zoom: float
    scale: float  # pixels in one short side
    x: np.ndarray
    y: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.x.shape

    def pixel(self, x: float | np.ndarray, y: float | np.ndarray) -> tuple[float | np.ndarray, float | np.ndarray]:
        """Columns and rows of points of the body, numbers or arrays."""
        height, width = self.shape
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        dx, dy = x - self.centre[0], y - self.centre[1]
        stretch = self.zoom * self.scale
        return (cos * dx - sin * dy) * stretch + width / 2, (sin * dx + cos * dy) * stretch + height / 2


def view_of(shape: tuple[int, int], centre: tuple[float, float], angle: float, zoom: float) -> View:
    height, width = shape
    scale = float(min(shape))
    column = (np.arange(width, dtype=np.float32) - width / 2)[None, :] / (scale * zoom)
    row = (np.arange(height, dtype=np.float32) - height / 2)[:, None] / (scale * zoom)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return View(centre, angle, zoom, scale, column * cos + row * sin + centre[0], row * cos - column * sin + centre[1])


@dataclass(frozen=True)
class Scene:
    albedo: np.ndarray  # [3, H, W] skin colour without light, in planes because numpy is twice as fast on them
    light: np.ndarray  # [H, W] shading by the body's shape
    body: np.ndarray  # [H, W], 1 on skin
    relief: np.ndarray  # [H, W], height of the skin's own lines, pixels
    nail: np.ndarray | None = None  # [H, W], 1 on the nail plate, None elsewhere


def scene_of(look: Look, view: View, rng: np.random.Generator) -> Scene:
    shape = view.shape
    albedo = _base_colour(look) * (1 + 0.045 * noise(rng, shape, 64, 32, 8))
    albedo[1:] *= 1 - np.float32(0.02) * noise(rng, shape, 32)  # blood is unevenly spread
    relief = 0.16 * noise(rng, shape, 2) + 0.2 * noise(rng, shape, 4)
    light = 1 + 0.05 * noise(rng, shape, 64)
    body = np.ones(shape, np.float32)
    case = np.random.default_rng([look.seed, 1])
    if look.site in _CREASES:
        relief += _creases(look, view, case, rng)
    if look.site in _LIMB_WIDTH:
        body, shade = _limb(view, _LIMB_WIDTH[look.site], case)
        light *= shade
    nail = None
    if look.site == "nail":
        body, shade, nail = _finger(view)
        light *= shade
        plate = planes(0.68, 0.55, 0.52) + albedo.mean((1, 2), keepdims=True) * 0.25
        ridges = 1 + 0.03 * np.sin(view.x * 90)
        albedo += nail * (plate * ridges - albedo)
    elif look.site == "face":
        albedo, light = _face(albedo, light, view, look)
    elif look.site in ("torso_back", "buttocks"):  # the spine, the cleft
        depth, width = (0.12, 0.07) if look.site == "torso_back" else (0.6, 0.035)
        light *= 1 - depth * np.exp(-(((view.x - 0.35) / width) ** 2))
    elif look.site == "groin":
        light *= 1 - 0.45 * np.exp(-(((view.y + 0.6 * view.x - 0.3) / 0.04) ** 2))
    elif look.site == "torso_front":
        navel = np.exp(-(((view.x + 0.25) / 0.05) ** 2) - ((view.y - 0.5) / 0.07) ** 2)
        light *= 1 - 0.65 * navel
    return Scene(*(part.astype(np.float32, copy=False) for part in (albedo, light, body, relief)), nail)


def planes_of(image: Image.Image) -> np.ndarray:
    """float32 [3, H, W] in 0..1: numpy is several times as fast on planes as on interleaved pixels."""
    return np.stack([np.asarray(band) for band in image.split()]).astype(np.float32) / np.float32(255)


def planes(red: float, green: float, blue: float) -> np.ndarray:
    """A colour as [3, 1, 1], float32."""
    return np.array([red, green, blue], np.float32)[:, None, None]


def _base_colour(look: Look) -> np.ndarray:
    low = int(np.clip(look.tone, 1, 9.999)) - 1
    part = np.float32(look.tone - 1 - low)
    rgb = _MONK_RGB[low] * (1 - part) + _MONK_RGB[low + 1] * part
    rgb = rgb[:, None, None]
    warm = planes(0.0, -0.02, -0.05) * np.float32(look.warmth)
    return np.clip(rgb * (planes(0.93, 0.80, 0.76) + warm) + planes(0.07, 0.04, 0.035), 0.06, 1)


def _creases(look: Look, view: View, case: np.random.Generator, rng: np.random.Generator) -> np.ndarray:
    """Skin lines; on a palm the three long ones too. Heights in pixels."""
    bend = 0.12 * noise(rng, view.shape, 32)
    angle = case.uniform(-0.4, 0.4)
    across = view.y * np.cos(angle) + view.x * np.sin(angle) + bend * 0.3
    lines = -np.exp(-8 * (1 - np.cos(across * 2 * np.pi / (4 * _CREASES[look.site]) + bend * 8)))
    if look.site in ("palm", "foot_sole"):
        for place in (-0.3, 0.02, 0.33):
            d = view.y - place - 0.35 * np.square(view.x + 0.3 * place)
            lines -= 2.2 * np.exp(-((d / 0.012) ** 2))
    return 0.9 * lines


def _limb(view: View, width: float, case: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A cylinder before the background: where it is, and its shade."""
    angle = case.uniform(-0.5, 0.5)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across = (view.x * cos + view.y * sin) / (width * (1 + view.y * np.float32(0.25 * case.uniform(-1, 1))))
    edge = 1 - np.abs(across)
    body = np.clip(edge * np.float32(width * view.zoom * view.scale * 0.6), 0, 1)
    return body, np.float32(0.42) + np.float32(0.6) * np.sqrt(np.clip(1 - across * across, 0, 1))


def _finger(view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A fingertip pointing up with its nail: body, shade and nail plate."""
    radius = 0.44
    d = np.hypot(view.x, np.minimum(view.y - 0.1, 0)) / radius
    body = np.clip((1 - d) * radius * view.zoom * view.scale * 0.6, 0, 1)
    shade = 0.45 + 0.57 * np.sqrt(np.clip(1 - d * d, 0, 1))
    e = np.hypot(view.x / 0.27, (view.y + 0.02) / 0.3)
    nail = np.clip((1 - e) * 0.28 * view.zoom * view.scale * 0.6, 0, 1)
    shade = shade * (1 - 0.35 * np.exp(-(((e - 1.06) / 0.06) ** 2)))  # the fold around it
    knuckle = np.exp(-((np.abs(np.abs(view.y - 0.75) - 0.04) / 0.02) ** 2))
    return body, shade * (1 - 0.2 * knuckle) * (1 + 0.1 * nail), nail


def _face(albedo: np.ndarray, light: np.ndarray, view: View, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Eyes, brows and mouth where they fall into the view; the nose as shade."""
    height, width = view.shape
    skin = albedo.mean((1, 2))
    paint = Image.new("RGB", (width, height), tuple(int(255 * v) for v in skin))
    alpha = Image.new("L", (width, height))
    colour, mask = ImageDraw.Draw(paint), ImageDraw.Draw(alpha)

    def shape(centre: tuple[float, float], rx: float, ry: float, rgb: tuple[float, float, float], power: float = 1.0) -> None:
        t = np.linspace(0, 2 * np.pi, 25)
        squeeze = np.abs(np.sin(t)) ** power * np.sign(np.sin(t))  # power above 1: pointed corners, an almond
        columns, rows = view.pixel(centre[0] + rx * np.cos(t), centre[1] + ry * squeeze)
        points = np.stack([columns, rows], axis=1).ravel().tolist()
        colour.polygon(points, fill=tuple(int(255 * v) for v in rgb))
        mask.polygon(points, fill=255)

    dark = (0.12, 0.08, 0.06)
    for side in (-1, 1):
        shape((side * 0.36, -0.42), 0.16, 0.028, tuple(skin * 0.35), 1.0)
        shape((side * 0.36, -0.27), 0.125, 0.055, (0.9, 0.88, 0.86), 1.6)
        shape((side * 0.36, -0.27), 0.045, 0.045, dark)
        shape((side * 0.07, 0.2), 0.03, 0.018, tuple(skin * 0.35))
    lips = tuple(skin * np.array([0.85, 0.58, 0.58], np.float32))
    shape((0, 0.52), 0.23, 0.085, lips, 1.4)
    shape((0, 0.52), 0.22, 0.01, tuple(skin * 0.4), 1.4)
    blur = ImageFilter.BoxBlur(0.01 * view.scale * view.zoom)
    part = np.asarray(alpha.filter(blur), np.float32) / 255
    painted = planes_of(paint.filter(blur))
    albedo += (np.float32(0.9) * part) * (painted - albedo)
    nose = np.clip(1 - np.abs(view.x) / (0.06 + 0.1 * np.clip(view.y + 0.35, 0, 0.6)), 0, 1) * ((view.y > -0.35) & (view.y < 0.25))
    contour = 1 - 0.28 * np.clip(np.abs(view.x) - 0.5, 0, 0.8)
    return albedo, light * (1 + 0.1 * nose * np.sign(view.x + 0.02)) * contour


def background(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[3, H, W]: cloth, a bed sheet, a table or a wall, out of focus."""
    base = np.clip(rng.uniform(0.12, 0.9) * (1 + rng.uniform(-0.22, 0.22, 3)), 0.05, 0.95)
    plain = planes(*base) * (1 + 0.1 * noise(rng, shape, 64, 16))
    if rng.random() < 0.5:  # a weave or stripes
        pace, angle = 2 * np.pi / rng.uniform(4, 30), rng.uniform(0, np.pi)
        column = np.arange(shape[1], dtype=np.float32)[None, :] * np.float32(pace * np.cos(angle))
        row = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(pace * np.sin(angle))
        plain *= 1 + 0.09 * np.sin(column + row)
    return plain


def draw_hair(photo: Image.Image, look: Look, view: View, rng: np.random.Generator, bald: np.ndarray, body: np.ndarray) -> Image.Image:
    """Strokes over the skin; none grow where `bald` [H, W] is above 0.45 or `body` ends."""
    height, width = view.shape
    zoom = view.zoom * view.scale / 180
    if look.site == "scalp":
        count, length, direction, spread = int(1900 * min(1.6, max(0.6, zoom**-1))), 26 * zoom, rng.uniform(0, np.pi), 0.3
    else:
        count = int(rng.poisson(_HAIRS.get(look.site, 0) * look.hairiness * 1.3))
        length, direction, spread = 13 * zoom, rng.uniform(0, np.pi), 0.45
    if not count:
        return photo
    pen = ImageDraw.Draw(photo, "RGBA")  # half transparent: hair is thinner than a pixel
    shade = np.array([58, 42, 32]) if look.tone > 3.5 or look.seed % 3 else np.array([112, 82, 52])
    opaque = 190 if look.site == "scalp" else 125
    starts = rng.uniform(0, 1, (count, 2)) * (width, height)
    angles = rng.normal(direction, spread, count)
    bends = rng.normal(0, 0.25, count)
    tones = rng.uniform(0.55, 1.35, count)
    lengths = length * rng.uniform(0.5, 1.2, count)
    roots = starts.astype(int)
    grows = (bald[roots[:, 1], roots[:, 0]] < 0.45) & (body[roots[:, 1], roots[:, 0]] > 0.5)
    mids = starts + 0.5 * lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    ends = mids + 0.5 * lengths[:, None] * np.stack([np.cos(angles + bends), np.sin(angles + bends)], 1)
    strokes = np.concatenate([starts, mids, ends], 1)[grows].tolist()
    colours = np.clip(shade * tones[grows][:, None], 0, 255).astype(int).tolist()
    for stroke, colour in zip(strokes, colours, strict=True):
        pen.line(stroke, fill=(*colour, opaque), width=1)
    return photo
