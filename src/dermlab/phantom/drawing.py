"""`draw`: a recipe becomes the bytes a phone would upload. A pure function, so any number of processes may share the work."""

import io
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageFilter

from dermlab.phantom.lesions import paint_lesions, spots_of
from dermlab.phantom.noise import noise
from dermlab.phantom.nonskin import draw_document, draw_no_skin
from dermlab.phantom.recipes import Look, Recipe
from dermlab.phantom.skin import background, draw_hair, planes, planes_of, scene_of, view_of

_SHORT_SIDES = (168, 180, 192)  # pixels
_ASPECTS = (4 / 3, 4 / 3, 4 / 3, 1.5, 16 / 9, 1.0)
_PHONES = (("Lumen", "Lumen 7"), ("Kestrel", "K20"), ("Kestrel", "K11 Pro"), ("Orchid", "Orchid Mini"))
_BOMB_SIDE = 30_000  # pixels; 900 million of them
# How a photo must be stored so that the EXIF orientation shows it upright again.
_STORED = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def draw(recipe: Recipe) -> bytes:
    """A JPEG of about 240x180 pixels; or, where the recipe says so, a broken file."""
    if recipe.spoil == "not_an_image":
        return b"<!DOCTYPE html>\n<html><head><title>504 Gateway Time-out</title></head><body>upload failed</body></html>\n"
    if recipe.spoil == "huge":
        return _bomb()
    rng = np.random.default_rng(recipe.seed)
    short = int(rng.choice(_SHORT_SIDES))
    long = round(short * float(rng.choice(_ASPECTS)))
    shape = (long, short) if rng.random() < 0.5 else (short, long)
    match recipe.subject:
        case "skin":
            photo = _draw_skin(recipe.look, shape, rng)
        case "document":
            photo = draw_document(shape, rng)
        case "no_skin":
            photo = draw_no_skin(shape, rng)
        case unknown:
            raise ValueError(f"unknown subject {unknown!r}")
    data = _encode(_camera(photo, rng), rng)
    if recipe.copy is not None:
        data = _upload_again(data, *recipe.copy)
    return data[: int(len(data) * 0.55)] if recipe.spoil == "truncated" else data


def _draw_skin(look: Look, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[3, H, W], 0..1."""
    spots = spots_of(look)
    focus = spots[int(rng.integers(len(spots)))] if spots else None
    pull = rng.uniform(0.75, 1.0)
    centre = (focus.x * pull, focus.y * pull) if focus else (0.0, 0.0)
    if look.site == "nail":
        centre = (0.0, 0.1)
    centre = tuple(float(c + rng.normal(0, 0.05)) for c in centre)
    upright = look.site in ("face", "nail", "scalp")
    zoom = float(np.exp(rng.normal(0.15, 0.22))) * (0.8 if look.site == "nail" else 1.0)
    view = view_of(shape, centre, float(rng.normal(0, 0.15 if upright else 0.6)), zoom)
    scene = scene_of(look, view, rng)
    albedo, height, cover = paint_lesions(scene, look, view, rng)
    shade = _relief_shade(height + scene.relief, rng.uniform(0, 2 * np.pi))
    light = scene.light * (1 + np.clip(np.float32(0.16) * shade, -0.35, 0.3))
    photo = albedo * light
    photo += np.clip(np.clip(shade - np.float32(0.9), 0, 2) * np.float32(0.04 + 0.3 * look.style.gloss), 0, 0.4)  # shine
    if scene.body.min() < 1:
        behind = background(shape, rng)
        photo = behind + scene.body * (photo - behind)
    bald = cover if look.style.relief < 0.1 else np.zeros_like(cover)  # a bald patch is flat; hair grows through the rest
    drawn = draw_hair(_image_of(photo), look, view, rng, bald, scene.body)
    return planes_of(drawn)


def _relief_shade(height: np.ndarray, towards: float) -> np.ndarray:
    """[H, W]: slope towards the light."""
    shade = np.zeros_like(height)
    shade[:, 1:-1] += np.float32(np.cos(towards)) * (height[:, 2:] - height[:, :-2])
    shade[1:-1] += np.float32(np.sin(towards)) * (height[2:] - height[:-2])
    return shade


def _image_of(photo: np.ndarray) -> Image.Image:
    """RGB, of planes [3, H, W] in 0..1."""
    scaled = photo * np.float32(255) + np.float32(0.5)
    return Image.merge("RGB", [Image.fromarray(plane) for plane in np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)])


def _camera(photo: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """Light from one side, colour cast, vignette, blur and sensor noise."""
    height, width = photo.shape[1:]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    turn, falloff, vignette = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.22), np.float32(rng.uniform(0, 0.16))
    light = (1 + x * np.float32(falloff * np.cos(turn)) - vignette * x * x) + (y * np.float32(falloff * np.sin(turn)) - vignette * y * y)
    warm = rng.normal(0, 0.05)
    cast = np.float32(np.exp(rng.normal(0, 0.1))) * planes(1 + warm, 1 + rng.normal(0, 0.015), 1 - warm)
    photo *= light
    photo *= cast
    blur = max(0.0, rng.normal(0.35, 0.4))
    image = _image_of(photo)
    if blur > 0.15:
        image = image.filter(ImageFilter.BoxBlur(blur))
    grain = (noise(rng, (height, width), 1) * np.float32(255 * rng.uniform(0.004, 0.022))).astype(np.int16).repeat(3, axis=1)
    grain += np.asarray(image).reshape(height, 3 * width)
    return Image.fromarray(np.clip(grain, 0, 255, out=grain).astype(np.uint8).reshape(height, width, 3))


def _encode(image: Image.Image, rng: np.random.Generator) -> bytes:
    orientation = int(rng.choice([1, 3, 6, 8], p=[0.8, 0.04, 0.1, 0.06]))
    exif = _exif(orientation, rng)
    if _STORED[orientation] is not None:
        image = image.transpose(_STORED[orientation])
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(85, 91)), exif=exif)
    return buffer.getvalue()


def _exif(orientation: int, rng: np.random.Generator) -> Image.Exif:
    """Most phones add a location to the camera's name and the date; some nothing."""
    exif = Image.Exif()
    if orientation != 1:
        exif[ExifTags.Base.Orientation] = orientation
    if rng.random() < 0.85:
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = _PHONES[int(rng.integers(len(_PHONES)))]
        month, day, hour, minute = rng.integers((1, 1, 7, 0), (13, 29, 23, 60))
        exif[ExifTags.Base.DateTime] = f"2024:{month:02d}:{day:02d} {hour:02d}:{minute:02d}:00"
        if rng.random() < 0.7:
            place = exif.get_ifd(ExifTags.IFD.GPSInfo)
            place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
            for tag, low, high in ((ExifTags.GPS.GPSLatitude, 36, 60), (ExifTags.GPS.GPSLongitude, 0, 28)):
                place[tag] = (float(rng.integers(low, high)), float(rng.integers(60)), float(rng.integers(6000)) / 100)
    return exif


def _upload_again(data: bytes, scale: float, quality: int) -> bytes:
    """The photo as a messenger would pass it on: resized, compressed anew, stripped of EXIF but for its orientation."""
    image = Image.open(io.BytesIO(data))
    exif = Image.Exif()
    if (orientation := image.getexif().get(ExifTags.Base.Orientation)) is not None:
        exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    size = (round(image.width * scale), round(image.height * scale))
    image.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=quality, exif=exif)
    return buffer.getvalue()


def _bomb() -> bytes:
    """A PNG of a few bytes whose header claims 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    side = _BOMB_SIDE.to_bytes(4, "big")
    header = side + side + bytes([8, 2, 0, 0, 0])  # 8 bits, RGB
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4096))) + chunk(b"IEND", b"")
