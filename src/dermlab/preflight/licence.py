"""What is known of a published backbone before it is used: its licence, and public sets of photos that it was trained on."""

import re
from pathlib import Path

from dermlab.model.names import repository_of
from dermlab.preflight.estimate import GO, LOOK, Check
from dermlab.run.errors import SourceError

RESTRICTIONS = {"nc": "not for commercial use", "nd": "what is made from it, as by fine-tuning, may not be passed on"}
# Repositories that begin so: what of HAM10000, SCIN and ISIC they were trained on, and who says it. One that is not here is not known of.
SEEN = {
    "google/medsiglip": ("SCIN", "its model card, under Source"),
    "google/medgemma": ("SCIN", "its model card, under Source"),
    "redlessone/DermLIP": ("public sets that it does not name", "the README of Derm1M, github.com/SiyuanYan1/Derm1M"),
}


def licence(backbone: str) -> Check | None:
    """What the model card of its repository states. None for a backbone of a library's own list."""
    if (named := repository_of(backbone)) is None:
        return None
    try:
        stated = stated_licence(_card(backbone, *named))
    except SourceError:
        return Check("licence", LOOK, f"the model card of {named[0]} is not to be had; read it before anything is made of the model")
    if not stated:
        return Check("licence", LOOK, f"none stated in the model card of {named[0]}: ask its makers what is allowed")
    words = re.split(r"[^a-z]+", re.sub(r"\S+://\S+", "", stated.lower()))
    said = [meant for sign, meant in RESTRICTIONS.items() if sign in words]
    return Check("licence", LOOK if said else GO, f"{'; '.join([f'{named[0]}: {stated}', *said])}")


def seen(backbone: str) -> Check | None:
    """None where no public set is known among what the backbone was trained on."""
    repository = (repository_of(backbone) or ("",))[0]
    for beginning, (sets, source) in SEEN.items():
        if repository.startswith(beginning):
            return Check("seen", LOOK, f"{repository} was trained on {sets} ({source}): scores on photos of these flatter it")
    return None


def stated_licence(card: str) -> str:
    """Of a model card, a text with YAML between two lines of `---` before it; empty where it states none. What is called `other` there has
    its name and address beside it."""
    from huggingface_hub import ModelCard

    data = ModelCard(card, ignore_metadata_errors=True).data
    parts = [data.get("license"), data.get("license_name"), data.get("license_link")]
    said = [", ".join(map(str, part)) if isinstance(part, list) else str(part) for part in parts if part]
    return "".join(sign for sign in ", ".join(said) if sign.isprintable())[:200]


def _card(backbone: str, repository: str, revision: str | None) -> str:
    """Empty where the repository has none. Raises SourceError."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    from dermlab.model.hub import fetched

    if Path(repository).is_dir():
        file = Path(repository) / "README.md"
        return file.read_text(encoding="utf-8") if file.is_file() else ""
    with fetched(backbone, True):
        try:
            return Path(hf_hub_download(repository, "README.md", revision=revision)).read_text(encoding="utf-8")
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            return ""
