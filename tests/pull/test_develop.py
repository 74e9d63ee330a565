"""Whatever the bytes: a photo with the right colours and nothing but pixels, or one error."""

import io
import os
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from dermlab.pull.develop import BrokenImageError, Photo, develop

SIZE = (40, 30)
SKIN = (189, 140, 116)
LIMIT = 10**8
CASES = int(os.environ.get("DERMLAB_FUZZ", "1500"))  # `make soak` asks for 20,000


def plain(mode: str = "RGB", colour=SKIN, size=SIZE) -> Image.Image:
    return Image.new(mode, size, colour)


def encoded(image: Image.Image, kind: str, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """[H, W, 3] of what is stored."""
    return np.asarray(Image.open(io.BytesIO(develop(data, 160, LIMIT).jpeg)).convert("RGB")).astype(int)


def mean(data: bytes) -> list[int]:
    return pixels(data).reshape(-1, 3).mean(0).round().astype(int).tolist()


def near(colour, tolerance: int = 3):
    return pytest.approx(list(colour), abs=tolerance)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_every_format_gives_its_colours(kind):
    assert mean(encoded(plain(), kind)) == near(SKIN, 4)


def test_content_decides_and_not_a_name():
    assert develop(encoded(plain(), "PNG"), 160, LIMIT).width == SIZE[0]


CORNERS = np.zeros((30, 40, 3), np.uint8)
CORNERS[:15, :20], CORNERS[:15, 20:], CORNERS[15:, :20], CORNERS[15:, 20:] = (200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0)
STORED_AS = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_stands_upright_whatever_way_it_was_stored(orientation, kind):
    image = Image.fromarray(CORNERS)
    if STORED_AS[orientation] is not None:
        image = image.transpose(STORED_AS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    upright = pixels(encoded(image, kind, exif=exif, **lossless))
    assert upright.shape == (30, 40, 3)
    for (top, left), colour in (((7, 10), (200, 0, 0)), ((7, 30), (0, 200, 0)), ((22, 10), (0, 0, 200)), ((22, 30), (200, 200, 0))):
        assert upright[top, left].tolist() == near(colour, 12)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_without_sense_is_ignored(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert mean(encoded(plain(), "JPEG", exif=exif)) == near(SKIN)


def test_an_orientation_that_is_text_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(plain(), "JPEG", exif=exif)
    text = data.replace(b"\x12\x01\x03\x00", b"\x12\x01\x02\x00").replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x02")
    assert text != data
    assert mean(text) == near(SKIN)
    assert develop(text, 160, LIMIT).width == SIZE[0]


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "white"),
    [
        ("RGBA", (0, 0, 0, 0), "PNG", (255, 255, 255)),
        ("RGBA", (*SKIN, 255), "PNG", SKIN),
        ("RGBA", (0, 0, 0, 128), "PNG", (127, 127, 127)),
        ("RGBA", (0, 0, 0, 0), "WEBP", (255, 255, 255)),
        ("LA", (0, 0), "PNG", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), "TIFF", (255, 255, 255)),
    ],
)
def test_what_is_transparent_lies_on_white(mode, colour, kind, white):
    image = plain(mode, colour)
    image.paste(0 if mode == "LA" else (0, 0, 0), (0, 0, 1, 1))
    image.putpixel((0, 0), (0, 255) if mode == "LA" else (0, 0, 0, 255))
    assert pixels(encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {})))[20, 20].tolist() == near(white)


def test_a_transparent_colour_of_a_palette_and_of_a_plain_png_lies_on_white():
    palette = plain("P", 7)
    palette.putpalette([0] * 768)
    for image, transparent in ((palette, 7), (plain("RGB", (9, 9, 9)), (9, 9, 9)), (plain("L", 9), 9)):
        image.putpixel((0, 0), (90, 90, 90) if image.mode == "RGB" else 90)  # or all of it is transparent
        assert pixels(encoded(image, "PNG", transparency=transparent))[20, 20].tolist() == near((255, 255, 255))


def hidden(photo: Image.Image, kind: str) -> bytes:
    """The photo below an alpha of 0 throughout."""
    lossless = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    photo = photo.copy()
    photo.putalpha(0)
    return encoded(photo, kind, **lossless)


PHOTO = Image.fromarray(CORNERS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_a_photo_below_an_alpha_of_nothing_but_0_is_shown_and_one_colour_below_it_is_no_photo(kind):
    developed = develop(hidden(PHOTO, kind), 160, LIMIT)
    assert developed.note == "transparent throughout: shown as if it were not"
    assert pixels(hidden(PHOTO, kind))[7, 10].tolist() == near((200, 0, 0), 12)
    with pytest.raises(BrokenImageError, match="^transparent throughout, with one colour below"):
        develop(hidden(plain(), kind), 160, LIMIT)


def test_a_bitmap_with_an_alpha_that_nobody_filled_and_a_picture_all_of_one_transparent_colour():
    fields = struct.pack("<IiiHHIIiiIIIIII", 108, *SIZE, 1, 32, 3, 0, 2835, 2835, 0, 0, 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs"
    body = np.dstack([CORNERS[::-1, :, ::-1], np.zeros(SIZE[::-1], np.uint8)]).tobytes()
    start = 14 + 108
    bitmap = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + fields.ljust(108, b"\0") + body
    assert Image.open(io.BytesIO(bitmap)).mode == "RGBA"
    assert pixels(bitmap)[7, 10].tolist() == near((200, 0, 0), 12)
    for data in (encoded(plain("P", 7), "GIF", transparency=7), encoded(plain("L", 9), "PNG", transparency=9)):
        with pytest.raises(BrokenImageError, match="transparent throughout"):
            develop(data, 160, LIMIT)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def beside(photo: bytes, *chunks: bytes, at_the_end: bool = False) -> bytes:
    place = len(photo) - 12 if at_the_end else 33  # before IEND, or behind IHDR
    return photo[:place] + b"".join(chunks) + photo[place:]


BOMB = zlib.compress(bytes(3_000_000))
BOMBS = {
    "text": chunk(b"zTXt", b"note\0\0" + BOMB),
    "international text": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0word\0" + BOMB),
    "profile": chunk(b"iCCP", b"wide\0\0" + BOMB),
    "many texts": b"".join(chunk(b"zTXt", b"note%d\0\0" % i + zlib.compress(bytes(1_000_000))) for i in range(80)),
}


@pytest.mark.parametrize("at_the_end", [False, True])
@pytest.mark.parametrize("what", BOMBS)
def test_a_text_or_profile_that_unpacks_to_megabytes_costs_no_photo(what, at_the_end):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = encoded(PHOTO, "PNG", exif=exif)
    developed = develop(beside(photo, BOMBS[what], at_the_end=at_the_end), 160, LIMIT)
    assert developed.jpeg == develop(photo, 160, LIMIT).jpeg
    assert developed.note == "a text or colour profile beside the pixels, too large to be one, is left out" or (what, at_the_end) == (
        "profile",
        True,
    )


def test_a_png_that_states_a_gamma_looks_as_it_was_meant_and_that_of_srgb_is_left_alone():
    photo = encoded(plain(), "PNG")
    linear = encoded(Image.fromarray(np.full((30, 40, 3), [round(255 * (c / 255) ** 2.2) for c in SKIN], np.uint8)), "PNG")
    assert mean(beside(linear, chunk(b"gAMA", struct.pack(">I", 100_000)))) == near(SKIN)
    for gamma in (45455, 0):  # a viewer cannot do anything with 0
        assert develop(beside(photo, chunk(b"gAMA", struct.pack(">I", gamma))), 160, LIMIT) == develop(photo, 160, LIMIT)
    tagged = beside(photo, chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 100_000)))
    assert develop(tagged, 160, LIMIT) == develop(photo, 160, LIMIT)


def test_primaries_without_a_profile_are_noted_unless_they_are_those_of_srgb():
    srgb, wide = (
        (31270, 32900, *colours) for colours in ((64000, 33000, 30000, 60000, 15000, 6000), (73470, 26530, 11000, 82000, 1000, 3000))
    )
    notes = [develop(beside(encoded(plain(), "PNG"), chunk(b"cHRM", struct.pack(">8I", *of))), 160, LIMIT).note for of in (srgb, wide)]
    assert notes == [None, "of other primaries than sRGB (cHRM), without a profile: colours are as stored"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.linspace(0, 65535, 256).astype(np.uint16), "PNG"),
        (np.linspace(0, 65535, 256).astype(np.uint16), "TIFF"),
        (np.linspace(0, 4095, 256).astype(np.uint16), "PNG"),
        (np.linspace(0, 65535, 256).astype(np.int32), "TIFF"),
        (np.linspace(0, 1, 256).astype(np.float32), "TIFF"),
        (np.linspace(-3, 9, 256).astype(np.float32), "TIFF"),
    ],
    ids=["16 bits", "16 bits of a TIFF", "12 of 16 bits", "32 bits", "0 to 1", "any float"],
)
def test_a_ramp_of_more_than_eight_bits_is_kept(values, kind):
    ramp = pixels(encoded(Image.fromarray(np.tile(values, (40, 1))), kind))[20, :, 0]
    assert ramp == pytest.approx(np.arange(256), abs=4)


def test_black_and_white_and_grey_are_read():
    assert mean(encoded(plain("1", 1), "PNG")) == [255, 255, 255]
    assert mean(encoded(plain("L", 90), "JPEG")) == near((90, 90, 90))


def test_grey_that_a_tiff_stores_with_white_as_zero_or_multiplied_by_its_alpha_is_read():
    assert mean(encoded(plain("I;16", 65535), "TIFF", tiffinfo={262: 0})) == near((0, 0, 0))
    straight, multiplied = (struct.pack("<HHIH", 338, 3, 1, kind) for kind in (2, 1))  # tag 338, ExtraSamples
    stored = encoded(plain("LA", (50, 128)), "TIFF").replace(straight, multiplied)  # grey 100 at alpha 128
    assert mean(stored) == near((177, 177, 177))


def test_a_jpeg_of_endless_scans_is_refused():
    scans = encoded(plain(), "JPEG") + b"\xff\xda" * 100_000
    with pytest.raises(BrokenImageError, match="100001 scans of 40x30 pixels"):
        develop(scans, 160, 10**6)


def test_cmyk_stays_skin_coloured_with_and_without_the_inversion_of_adobe():
    assert mean(encoded(plain().convert("CMYK"), "JPEG")) == near(SKIN, 6)
    assert mean(encoded(plain().convert("CMYK"), "TIFF")) == near(SKIN, 6)


def _wide_gamut() -> bytes:
    """A profile whose red is redder than that of sRGB: sRGB's own with another red and green primary."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for position in range(128 + 4, 128 + 4 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        tag, offset, size = struct.unpack(">4sII", profile[position : position + 12])
        if tag == b"desc":
            profile[offset : offset + size] = (
                profile[offset : offset + size].replace(b"s\0R\0G\0B", b"w\0i\0d\0e").replace(b"sRGB", b"wide")
            )
        if tag == b"rXYZ":
            profile[offset + 8 : offset + 20] = struct.pack(">3i", *(round(v * 65536) for v in (0.6097, 0.3111, 0.0195)))
        if tag == b"gXYZ":
            profile[offset + 8 : offset + 20] = struct.pack(">3i", *(round(v * 65536) for v in (0.2053, 0.6257, 0.0609)))
    return bytes(profile)


def test_a_wide_gamut_profile_is_converted_from_and_srgb_left_alone():
    wide = _wide_gamut()
    profile = ImageCms.ImageCmsProfile(io.BytesIO(wide))
    expected = ImageCms.profileToProfile(plain(), profile, ImageCms.createProfile("sRGB"), renderingIntent=1).getpixel((0, 0))
    assert expected[0] > SKIN[0] + 8, "the profile must matter"
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        assert mean(encoded(plain(), kind, icc_profile=wide)) == near(expected, 4)
    assert mean(encoded(plain("RGBA", (*SKIN, 255)), "PNG", icc_profile=wide)) == near(expected, 4)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert mean(encoded(plain(), "JPEG", icc_profile=srgb)) == near(SKIN)


@pytest.mark.parametrize("profile", [b"no profile", _wide_gamut()[:200], b"\0" * 300])
def test_a_broken_profile_is_as_none(profile):
    assert mean(encoded(plain(), "PNG", icc_profile=profile)) == near(SKIN)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_used_and_that_is_noted(kind):
    frames = [plain(colour=(10, 10, 10)), plain(colour=(240, 240, 240))]
    data = encoded(plain(), kind, save_all=True, append_images=frames)
    photo = develop(data, 160, LIMIT)
    assert photo.note == "animated or of several pages: the first frame is used"
    assert mean(data) == near(SKIN, 6)
    assert develop(encoded(plain(), kind), 160, LIMIT).note is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC: `pip install pillow-heif`"),
        (b"\0\0\0\x18ftypavif" + b"\0" * 40, "AVIF: convert"),
        (b"\0" * 128 + b"DICM" + b"\0" * 40, "DICOM: export as PNG"),
        (b"II*\0\x10\0\0\0CR\x02\0", "camera RAW: export as JPEG"),
        (b"\0\0\0\x18ftypcrx " + b"\0" * 40, "camera RAW: export as JPEG"),
        (b"%PDF-1.4", "PDF: export"),
        (b"<html>403 Forbidden", "a web page"),
        (encoded(plain(), "JPEG")[:200], "cannot be decoded"),
        (encoded(plain(size=(15, 40)), "PNG"), "too small"),
        (encoded(Image.new("1", (11000, 10000)), "PNG"), "more than pull.max_pixels"),
    ],
)
def test_what_is_no_photo_is_refused_with_the_way_out(data, says):
    with pytest.raises(BrokenImageError, match=says):
        develop(data, 160, LIMIT)


SECRET = "Patient-Mary-Shelley-MRN-0815"


def _with_secrets() -> dict[str, bytes]:
    """Formats and places for words that are no pixels."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x9286] = SECRET, SECRET, SECRET
    exif.get_ifd(0x8825)[1] = SECRET
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", SECRET)
    text.add_text("Description", SECRET, zip=True)
    text.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET}</x>")
    tiff = TiffImagePlugin.ImageFileDirectory_v2()
    tiff[270], tiff[305], tiff[700] = SECRET, SECRET, SECRET.encode()
    profile = _wide_gamut().replace(b"wide", SECRET[:4].encode()) + SECRET.encode()
    xmp = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
    return {
        "jpeg comment and exif": encoded(plain(), "JPEG", comment=SECRET, exif=exif, icc_profile=profile),
        "jpeg xmp": encoded(plain(), "JPEG", xmp=xmp),
        "png text": encoded(plain(), "PNG", pnginfo=text, exif=exif),
        "png palette": encoded(plain().convert("P"), "PNG", pnginfo=text),
        "webp": encoded(plain(), "WEBP", exif=exif, xmp=xmp),
        "gif": encoded(plain().convert("P"), "GIF", comment=SECRET),
        "tiff": encoded(plain(), "TIFF", tiffinfo=tiff),
    }


@pytest.mark.parametrize("place", _with_secrets())
def test_nothing_but_pixels_leaves(place):
    data = _with_secrets()[place]
    words = [SECRET.encode(), SECRET.encode("utf-16-le"), SECRET.encode("utf-16-be")]
    assert any(word in data for word in words) or place.startswith("png"), "the word must be there to be removed"
    photo = develop(data, 160, LIMIT)
    assert not any(word in photo.jpeg for word in words)
    stored = Image.open(io.BytesIO(photo.jpeg))
    assert set(stored.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def _seeds() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8))
    wide = _wide_gamut()
    made = [encoded(noise, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")]
    made += [encoded(noise, kind, exif=exif, icc_profile=wide) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    made += [encoded(noise, "TIFF", compression=how) for how in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
    made += [encoded(noise.convert(mode), "PNG") for mode in ("L", "LA", "RGBA", "P", "1", "I;16")]
    made += [encoded(noise.convert("CMYK"), "JPEG"), encoded(noise, "JPEG", progressive=True), encoded(noise.convert("RGBA"), "WEBP")]
    made += [encoded(noise, kind, save_all=True, append_images=[noise]) for kind in ("GIF", "WEBP", "PNG", "TIFF")]
    return [*made, *_with_secrets().values()]


def _damaged(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return data[: chance.randrange(len(data))]
    damaged = bytearray(data)
    reach = len(data) if chance.random() < 0.5 else min(len(data), 400)  # headers and metadata stand at the beginning
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        damaged[chance.randrange(reach)] = chance.choice((0, 255, chance.randrange(256)))
    if data.startswith(b"\x89PNG") and chance.random() < 0.7:
        damaged = _checksums_mended(damaged)  # or the decoder stops at the first of them
    return bytes(damaged)


def _checksums_mended(data: bytearray) -> bytearray:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return data


def test_damaged_files_of_every_format_are_photos_or_one_error():
    chance, seeds, photos = random.Random(17), _seeds(), 0
    for case in range(CASES):
        try:
            assert isinstance(develop(_damaged(seeds[case % len(seeds)], chance), 24, 10**6), Photo)
            photos += 1
        except BrokenImageError:
            pass
    assert 0.1 < photos / CASES < 0.9  # both happen, or the damage is not damage
