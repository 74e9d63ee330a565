"""What a backbone may be called: `lite0`, `medsiglip`, `open_clip:<model>/<pretrained>`, `timm:<name>`, `hf:<name>[@<revision>]`."""

from typing import Annotated

from pydantic import AfterValidator

BACKBONES = ("lite0", "medsiglip", "open_clip:<model>/<pretrained>", "timm:<name>", "hf:<name>[@<revision>]")
WITHOUT_TEXT = ("lite0", "timm")  # families of backbones that have no text tower beside the image tower


def _known(value: str) -> str:
    family, _, name = value.partition(":")
    plain = family in ("lite0", "medsiglip") and value == family
    qualified = family in ("open_clip", "timm", "hf") and bool(name) and (family != "open_clip" or "/" in name)
    if not (plain or qualified):
        raise ValueError(f"{value!r} is not a backbone. Valid: {', '.join(BACKBONES)}")
    return value


BackboneName = Annotated[str, AfterValidator(_known)]


def reads_text(backbone: str) -> bool:
    """For an `hf` backbone the model's configuration decides; then this is True."""
    return backbone.partition(":")[0] not in WITHOUT_TEXT


def revision_of(repository: str) -> tuple[str, str | None]:
    """`org/model@abc123` -> (`org/model`, `abc123`); None where no revision is named, or the name is a folder's."""
    name, at, revision = repository.rpartition("@")
    return (name, revision) if at and name else (repository, None)
