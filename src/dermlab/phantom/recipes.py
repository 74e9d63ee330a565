"""What a photo is drawn from: small frozen records, cheap to pickle, whose text pins the drawing."""

from dataclasses import dataclass

# Raise it whenever the same recipe would draw other bytes: it is part of every etag.
VERSION = 2


@dataclass(frozen=True)
class Style:
    """How the lesions of a condition look. Lengths are in short sides of the photo; the rest are strengths, mostly 0..1."""

    count: float = 3.0  # lesions in and around the view
    size: float = 0.1  # median radius
    size_spread: float = 0.3  # standard deviation of log radius
    elongation: float = 0.1
    irregular: float = 0.3  # how far the outline strays from an ellipse
    soft: float = 0.3  # width of the edge over the radius
    blood: float = 0.0  # red; optical density, so that it darkens dark skin and reddens light skin
    violet: float = 0.0
    melanin: float = 0.0  # brown
    pale: float = 0.0  # pigment lost
    ring: float = 0.0  # active border around a clearing centre
    relief: float = 0.0  # height, seen through light and shade
    scale: float = 0.0  # white flakes
    crust: float = 0.0  # honey-coloured
    gloss: float = 0.0
    pustule: float = 0.0  # share of lesions with a yellow-white head
    punctum: float = 0.0  # share of lesions with a dark or dented centre
    vesicle: float = 0.0  # share of lesions covered with clear blisters
    patchy: float = 0.0  # uneven pigment
    lines: float = 0.0  # scratches and thickened skin lines
    vessels: float = 0.0  # fine dilated vessels
    satellites: float = 0.0  # small papules around


@dataclass(frozen=True)
class Look:
    """What the photos of one case share."""

    tone: float  # Monk skin tone 1 (lightest) to 10
    warmth: float  # undertone, -1..1
    hairiness: float  # 0..1
    site: str
    layout: str
    style: Style
    seed: int  # of the lesions' places and shapes


@dataclass(frozen=True)
class Recipe:
    """One file."""

    # `skin`, `document` or `no_skin`
    subject: str
    look: Look | None
    seed: int  # of view, light, camera
    spoil: str = ""  # empty, or how the file is broken
    copy: tuple[float, int] | None = None  # of a photo uploaded again with other settings, the scale and the JPEG quality; None otherwise
