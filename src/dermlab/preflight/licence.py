"""What is known of a published backbone before it is used: its licence, and public sets of photos that it was trained on."""

import re
from pathlib import Path

from dermlab.model.names import folder_of, repository_of
from dermlab.preflight.estimate import GO, LOOK, Check
from dermlab.run.errors import ParamsError, SourceError
from dermlab.run.params import parsed, read_text

RESTRICTIONS = {
    r"\bnc\b|non-?\s?commercial": "not for commercial use",
    r"\bnd\b|no-?\s?derivati": "what is made from it, as by fine-tuning, may not be passed on",
}
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
    except ParamsError as error:
        return Check("licence", LOOK, f"the model card of {named[0]} cannot be read ({error}): read it there")
    if not stated:
        return Check("licence", LOOK, f"none stated in the model card of {named[0]}: ask its makers what is allowed")
    words = re.sub(r"\S+://\S+", "", stated.lower())
    said = [meant for sign, meant in RESTRICTIONS.items() if re.search(sign, words)]
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
    its name and address beside it. Raises ParamsError where what stands between them is no YAML of keys and values."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    block = REGEX_YAML_BLOCK.search(card.removeprefix("\ufeff"))
    data = parsed(block.group(2), "its head") if block and block.group(2).strip() else {}
    parts = [data.get("license"), data.get("license_name"), data.get("license_link")]
    said = [", ".join(map(str, part)) if isinstance(part, list) else str(part) for part in parts if part]
    return "".join(sign for sign in ", ".join(said) if sign.isprintable())[:200]


def _card(backbone: str, repository: str, revision: str | None) -> str:
    """Empty where the repository has none. Raises SourceError; ParamsError where it is no text."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    from dermlab.model.hub import fetched

    if (folder := folder_of(backbone)) is not None:
        file = folder / "README.md"
        return read_text(file) if file.is_file() else ""
    with fetched(backbone, True):
        try:
            return read_text(Path(hf_hub_download(repository, "README.md", revision=revision)))
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            return ""
