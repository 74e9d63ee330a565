"""What a backbone may be called: `lite0`, `medsiglip`, `open_clip:<model>/<pretrained>`, `timm:<name>`, and what people publish on a hub
in the layout of a library: `open_clip:hf-hub:<org>/<name>`, `timm:hf-hub:<org>/<name>`, `hf:<org>/<name>`; `@<revision>` may follow."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from dermlab.run.errors import ParamsError, SourceError

BACKBONES = (
    "lite0", "medsiglip", "open_clip:<model>/<pretrained>", "open_clip:hf-hub:<org>/<name>[@<revision>]", "timm:<name>",
    "timm:hf-hub:<org>/<name>[@<revision>]", "hf:<name>[@<revision>]",
)  # fmt: skip
HUB = "hf-hub:"
LARGEST_IMAGE = 2048  # side in pixels of what a backbone sees; a model that says more is not read
MEDSIGLIP_REPOSITORY = "google/medsiglip-448"
WITHOUT_TEXT = ("lite0", "timm")  # families of backbones that have no text tower beside the image tower


def _known(value: str) -> str:
    family, _, name = value.partition(":")
    plain = family in ("lite0", "medsiglip") and value == family
    qualified = family in ("open_clip", "timm", "hf") and bool(name)
    two_parts = family == "open_clip" or name.startswith(HUB)
    if not plain and not (qualified and ("/" in name or not two_parts) and not name.endswith("@")):
        raise ValueError(f"{value!r} is not a backbone. Valid: {', '.join(BACKBONES)}")
    return value


BackboneName = Annotated[str, AfterValidator(_known)]


def reads_text(backbone: str) -> bool:
    """For an `hf` backbone the model's configuration decides; then this is True."""
    return backbone.partition(":")[0] not in WITHOUT_TEXT


def repository_of(backbone: str) -> tuple[str, str | None] | None:
    """`hf:org/model@abc123` -> (`org/model`, `abc123`), the repository of a hub that a backbone comes from and its revision: None where no
    revision is named, or the name is a folder's that holds the same files. None for a backbone of a library's own list."""
    family, _, name = backbone.partition(":")
    if family == "medsiglip":
        return MEDSIGLIP_REPOSITORY, None
    if family != "hf" and not name.startswith(HUB):
        return None
    repository = name.removeprefix(HUB)
    before, at, revision = repository.rpartition("@")
    return (before, revision) if at and before and not Path(repository).is_dir() else (repository, None)


def folder_of(backbone: str) -> Path | None:
    """The folder that a name holds in place of a repository; None where it holds none. Raises ParamsError where a revision is asked of a
    folder, which has none; SourceError where the folder is not there."""
    repository, revision = repository_of(backbone) or ("", None)
    if not repository:
        return None
    if Path(repository).is_dir():
        if revision:
            raise ParamsError(f"backbone: {repository} is a folder here, and a folder has no revisions. Leave @{revision} out.")
        return Path(repository)
    if repository[0] in "/.~" or repository.count("/") > 1:  # no repository is called so
        raise SourceError(f"backbone: {backbone} names the folder {repository}, which is not there. A repository is <org>/<name>.")
    return None
