"""A page that works offline: photos, script and style lie in it, it may fetch nothing, and no label can leave its place."""

import base64
import hashlib
import io
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from dermlab.data.thumbnails import bare_jpeg

LARGE = 80  # JPEG quality of the photos that a person decides on


def render(template: str, content: dict, scripts: Iterable[str], styles: Iterable[str], **words: Any) -> str:
    """The page of a template around its content, which its scripts read from the element `content`. words: what else the template names."""
    script, style = ("\n".join(_text(name) for name in names) for names in (scripts, styles))
    environment = Environment(
        loader=PackageLoader("dermlab.review", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template).render(
        content=_json(content),
        script=Markup(script),
        style=Markup(style),
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
        **words,
    )


def in_page(jpeg: bytes, side: int, quality: int = LARGE) -> str:
    """Base64 of the photo without metadata, its longer side at most `side` pixels."""
    return base64.b64encode(bare_jpeg(Image.open(io.BytesIO(jpeg)), side, quality)).decode()


def _text(name: str) -> str:
    return files("dermlab.review").joinpath("templates", name).read_text(encoding="utf-8")


def _json(content: dict) -> Markup:
    """JSON that no label can break out of: without `<` there is no `</script>` and no `<!--`."""
    return Markup(json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"))


def _csp_hash(text: str) -> str:
    """What a content security policy calls an inline block by; a block that is not called may not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
