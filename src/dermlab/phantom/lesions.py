"""Lesions: where a case has them, and how they change the colour and the height of the skin."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from dermlab.phantom.noise import noise
from dermlab.phantom.recipes import Look, Style
from dermlab.phantom.skin import Scene, View, planes

# Optical density of red, green and blue at strength 1.
_BLOOD = planes(0.06, 0.62, 0.52)
_VIOLET = planes(0.46, 0.80, 0.36)
_MELANIN = planes(0.42, 0.66, 0.86)
_PALE = planes(0.95, 0.83, 0.77)
_CRUST = planes(0.80, 0.58, 0.22)
_PUS = planes(0.93, 0.87, 0.62)
_FLAKE = planes(0.93, 0.90, 0.87)


@dataclass(frozen=True)
class Spot:
    """One lesion in the body's coordinates; lengths in short sides at zoom 1."""

    x: float
    y: float
    radius: float
    elongation: float
    angle: float
    strength: float
    pustule: bool
    punctum: bool
    blisters: tuple[tuple[float, float, float], ...]  # x, y, radius of each


def spots_of(look: Look) -> list[Spot]:
    """The same for every photo of the case. The first spot lies where a photo of it would be centred."""
    style, rng = look.style, np.random.default_rng([look.seed, 2])
    count = max(1, int(rng.poisson(style.count))) if style.count > 0 else 0
    spots = []
    for x, y, angle in _places(look, count, rng):
        radius = style.size * float(np.exp(rng.normal(0, style.size_spread)))
        blisters = ()
        if rng.random() < style.vesicle:
            turns, out = rng.uniform(0, 2 * np.pi, 9), 0.9 * radius * np.sqrt(rng.uniform(0, 1, 9))
            sizes = np.maximum(radius * rng.uniform(0.14, 0.3, 9), 0.012)
            blisters = tuple(zip(x + out * np.cos(turns), y + out * np.sin(turns), sizes, strict=True))[: int(rng.integers(3, 10))]
        spots.append(
            Spot(
                x, y, radius, min(0.75, abs(rng.normal(style.elongation, 0.1))), angle, float(rng.uniform(0.8, 1.15)),
                rng.random() < style.pustule and radius < 0.07, rng.random() < style.punctum, blisters,
            )
        )  # fmt: skip
        if len(spots) <= count:
            for _ in range(int(rng.poisson(style.satellites / max(count, 1)))):
                sx, sy = x + rng.normal(0, 0.2), y + rng.normal(0, 0.2)
                small = float(0.02 * np.exp(rng.normal(0, 0.3)))
                spots.append(Spot(sx, sy, small, 0.0, 0.0, 1.0, rng.random() < style.pustule, False, ()))
    return spots


def _places(look: Look, count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, y and angle of each lesion."""
    reach = 0.45 if look.site in ("arm", "leg", "neck", "back_of_hand", "foot_top", "foot_sole", "palm") else 0.62
    angles = rng.uniform(0, np.pi, count)
    if look.site == "nail":
        return [(float(rng.normal(0, 0.12)), float(rng.normal(-0.1, 0.14)), float(a)) for a in angles]
    centre, direction = rng.uniform(-0.6, 0.6, 2) * reach, rng.uniform(0, np.pi)
    if look.site == "face" and look.layout in ("grouped", "single"):
        centre = np.array([rng.uniform(-0.4, 0.4), rng.choice([0.42, 0.1, -0.1])])
    along = np.array([np.cos(direction), np.sin(direction)])
    match look.layout:
        case "single":
            points = centre * 0.5 + rng.normal(0, 0.35, (count, 2)) * (np.arange(count) > 0)[:, None]
        case "grouped":
            points = centre + rng.normal(0, 0.16, (count, 2))
        case "patches":
            points = centre + rng.normal(0, 0.26, (count, 2))
        case "linear":
            points = centre + np.outer(rng.uniform(-0.5, 0.5, count), along) + rng.normal(0, 0.03, (count, 2))
            angles[:] = direction
        case "band":
            points = centre * 0.5 + np.outer(rng.uniform(-0.75, 0.75, count), along) + rng.normal(0, 0.075, (count, 2))
        case "symmetric":
            points = rng.uniform((0.12, -0.35), (0.5, 0.4), (count, 2))
            points[::2, 0] *= -1
            points[1::2, 1] = points[: 2 * (count // 2) : 2, 1] + rng.normal(0, 0.05, count // 2)
        case "scattered":
            points = rng.uniform(-1.25 * reach, 1.25 * reach, (count, 2))
        case unknown:
            raise ValueError(f"unknown layout {unknown!r}")
    return [(float(x), float(y), float(a)) for (x, y), a in zip(points, angles, strict=True)]


@dataclass
class _Layers:
    """[H, W] maps, 0..1, but `height` in pixels."""

    cover: np.ndarray
    height: np.ndarray
    light_centre: np.ndarray
    dark_centre: np.ndarray
    blister: np.ndarray
    box: tuple[int, int, int, int] = (10**6, 0, 10**6, 0)  # rows and columns outside which all are 0

    def part(self, top: int, bottom: int, left: int, right: int) -> tuple[slice, slice]:
        """The slices of a box, which from now on lies in `box`."""
        before = self.box
        self.box = (min(before[0], top), max(before[1], bottom), min(before[2], left), max(before[3], right))
        return slice(top, bottom), slice(left, right)


def _raise_to(target: np.ndarray, value: np.ndarray) -> None:
    np.maximum(target, value, out=target)


def _length(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """np.hypot without its care for overflow, five times as fast. Writes to x and y."""
    x *= x
    y *= y
    x += y
    return np.sqrt(x, out=x)


def _stamp(layers: _Layers, spot: Spot, style: Style, view: View, outline: np.ndarray) -> None:
    height, width = view.shape
    column, row = view.pixel(spot.x, spot.y)
    radius = max(spot.radius * view.zoom * view.scale, 1.3)
    reach = radius * (1.35 + 0.7 * style.irregular + 0.5 * style.soft) + 2
    left, right = max(0, int(column - reach)), min(width, int(column + reach) + 1)
    top, bottom = max(0, int(row - reach)), min(height, int(row + reach) + 1)
    if left >= right or top >= bottom:
        return
    box = layers.part(top, bottom, left, right)
    dx = (np.arange(left, right, dtype=np.float32) - np.float32(column))[None, :]
    dy = (np.arange(top, bottom, dtype=np.float32) - np.float32(row))[:, None]
    angle = spot.angle + view.angle
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    stretch = np.float32((1 - spot.elongation) ** 0.5)
    d = _length((dx * cos + dy * sin) * (stretch / np.float32(radius)), (dy * cos - dx * sin) / (stretch * np.float32(radius)))
    d *= 1 + np.float32(0.3 * style.irregular) * outline[box]
    edge = np.clip((1 - d) / np.float32(max(style.soft, 1.2 / radius)) + 0.5, 0, 1)
    edge = edge * edge * (3 - 2 * edge)
    cover = edge * np.float32(spot.strength)
    profile = np.clip((1.05 - d) * 2.5, 0, 1) if radius > 9 else np.clip(1 - 0.8 * d * d, 0, 1)
    if style.ring > 0.05:
        centre = np.clip((0.92 - d) * 3.5, 0, 1)
        cover = cover * (1 - np.float32(min(style.ring, 0.95)) * centre)
        profile = profile * (1 - np.float32(min(style.ring, 0.95)) * centre)
    _raise_to(layers.cover[box], cover)
    _raise_to(layers.height[box], np.float32(style.relief * min(radius, 7.0)) * profile * edge)
    if spot.pustule:
        _raise_to(layers.light_centre[box], np.clip((0.5 - d) * 4, 0, 1))
    if spot.punctum:
        pit = np.clip((max(0.26, 1.2 / radius) - d) * 6, 0, 1)
        _raise_to(layers.dark_centre[box], pit)
        layers.height[box] -= np.float32(style.relief * min(radius, 7.0) * 0.7) * pit
    for x, y, size in spot.blisters:
        _blister(layers, view, x, y, size)


def _blister(layers: _Layers, view: View, x: float, y: float, size: float) -> None:
    height, width = view.shape
    column, row = view.pixel(x, y)
    radius = max(size * view.zoom * view.scale, 1.8)
    left, right = max(0, int(column - radius)), min(width, int(column + radius) + 2)
    top, bottom = max(0, int(row - radius)), min(height, int(row + radius) + 2)
    if left >= right or top >= bottom:
        return
    box = layers.part(top, bottom, left, right)
    dx, dy = np.arange(left, right, dtype=np.float32) - column, np.arange(top, bottom, dtype=np.float32) - row
    dome = np.clip(1 - (dx[None, :] ** 2 + dy[:, None] ** 2) / radius**2, 0, 1).astype(np.float32)
    _raise_to(layers.blister[box], np.sqrt(dome))
    layers.height[box] += np.float32(0.9 * min(radius, 5.0)) * dome


def _strokes(shape: tuple[int, int], count: int, length: float, spread: float, rng: np.random.Generator) -> np.ndarray:
    """[H, W], 1 on fine lines that follow one direction and its normal."""
    height, width = shape
    sheet = Image.new("L", (width, height))
    pen = ImageDraw.Draw(sheet)
    main = rng.uniform(0, np.pi)
    for _ in range(count):
        angle = main + (np.pi / 2) * (rng.random() < 0.35) + rng.normal(0, spread)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        step = length * rng.uniform(0.3, 0.6)
        bend = angle + rng.normal(0, spread)
        middle = (x + step * np.cos(angle), y + step * np.sin(angle))
        pen.line([(x, y), middle, (middle[0] + step * np.cos(bend), middle[1] + step * np.sin(bend))], fill=255)
    return np.asarray(sheet, np.float32) / 255


def paint_lesions(scene: Scene, look: Look, view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The albedo [3, H, W] with lesions, the height [H, W] in pixels, and where the lesions are [H, W]."""
    style, shape = look.style, view.shape
    layers = _Layers(*(np.zeros(shape, np.float32) for _ in range(5)))
    coarse, fine = noise(rng, shape, 32, 16, 8), noise(rng, shape, 8, 4)
    for spot in spots_of(look):
        _stamp(layers, spot, style, view, coarse if spot.radius * view.scale * view.zoom > 12 else fine)
    top, bottom, left, right = layers.box
    if top < bottom:  # else no lesion lies in the view
        box = slice(top, bottom), slice(left, right)
        _paint(scene, look, view, rng, layers, box)
    return scene.albedo, layers.height, np.clip(layers.cover, 0, 1)


def _paint(scene: Scene, look: Look, view: View, rng: np.random.Generator, layers: _Layers, box: tuple[slice, slice]) -> None:
    """In place, inside `box` alone: the scene's albedo, and the layers' cover and height."""
    style, albedo, cover, height = look.style, scene.albedo[:, *box], layers.cover[box], layers.height[box]
    shape = cover.shape
    bright = np.float32(np.clip(0.45 + 0.6 * float(scene.albedo.mean()), 0.45, 1.0))  # flakes on dark skin look greyer
    ground = (scene.nail if scene.nail is not None and style.blood < 0.4 else scene.body)[box]
    cover *= ground
    height *= ground
    grain = 1 + np.float32(0.18 + 0.9 * style.patchy) * noise(rng, shape, 16, 8, 4)
    even = cover * np.clip(1 + np.float32(0.3) * (grain - 1), 0.5, 1.5)
    pigment = cover * np.clip(grain, 0.1, 2)
    density = even * (np.float32(style.blood) * _BLOOD + np.float32(style.violet) * _VIOLET)
    if style.melanin:
        density += pigment * (np.float32(style.melanin) * _MELANIN)
    if style.lines > 0.12:
        scratches = _strokes(view.shape, int(70 * style.lines), 0.2 * view.scale, 0.25, rng)[box] * np.clip(cover * 2, 0, 1)
        density += scratches * (np.float32(0.9 * style.lines) * _BLOOD)
        height -= np.float32(0.8) * scratches
    if style.vessels > 0.1:
        reds = _strokes(view.shape, int(60 * style.vessels), 0.12 * view.scale, 0.9, rng)[box] * np.clip(cover * 1.5, 0, 1)
        density += reds * (np.float32(0.9) * _BLOOD)
    if style.pale > 0.02:
        albedo += (np.clip(cover, 0, 1) * np.float32(min(style.pale, 1))) * (_PALE - albedo)
    albedo *= np.exp(-density)
    for amount, colour, cells, threshold in (
        (style.scale, _FLAKE * bright, (16, 4, 2), 0.8),
        (style.crust, _CRUST * bright, (16, 8, 2), 0.65),
    ):
        if amount > 0.04:
            flakes = np.clip((noise(rng, shape, *cells) - np.float32(threshold - 1.3 * amount)) * np.float32(1.3), 0, 1)
            flakes *= np.clip(np.float32(1.6) * cover, 0, 1)
            albedo += (flakes * np.float32(min(0.8, 0.3 + 0.6 * amount))) * (colour - albedo)
            height += np.float32(0.7) * flakes
    for layer, strength, colour in (
        (layers.light_centre, 0.85, _PUS * bright),
        (layers.dark_centre, 0.6, 0),
        (layers.blister, 0.4, _PUS * bright),
    ):
        if layer.any():
            albedo += (layer[box] * ground * np.float32(strength)) * (colour - albedo)
