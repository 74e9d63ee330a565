"""Groups of the classes of sources that everybody has, as `dermlab lock` writes them to data/groups.csv."""

from pathlib import Path

from dermlab.data.classes import Classes
from dermlab.data.groups import HEADER, groups_of, read_groups
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import write_text

NONE = f"""\
# Groups of classes that the report scores as one question, such as malignant or urgent; a class a line, in as many groups as it belongs to.
# Without a line below the next there are none. docs/patients.md has examples.
{HEADER}
"""
# The simulated clinic's targets hold nothing malignant: basal cell carcinoma and actinic keratosis are of its pool `other`.
PHANTOM = f"""\
# Groups of classes that the report scores as one question. Of the simulated clinic: for mechanics, no advice to any real one.
# infectious: caught from others, or treated against what was caught. urgent: to be seen within days.
{HEADER}
urgent,herpes zoster
urgent,drug rash
urgent,impetigo
infectious,tinea
infectious,folliculitis
infectious,wart
infectious,herpes zoster
infectious,impetigo
infectious,herpes simplex
infectious,scabies
infectious,molluscum contagiosum
infectious,onychomycosis
"""
HAM10000 = f"""\
# Groups of classes that the report scores as one question. Of HAM10000: actinic keratoses and intraepithelial carcinoma (akiec) are counted
# with the malignant, as is usual for this set (Tschandl et al. 2019, Lancet Oncology 20:938). Where they are not to be: remove that line.
{HEADER}
malignant,mel
malignant,bcc
malignant,akiec
melanoma,mel
"""
KNOWN = (PHANTOM, HAM10000)


def groups_for(classes: Classes) -> str:
    """The text of data/groups.csv for a source of these classes: the known one all of whose classes it has, else NONE."""
    for text in KNOWN:
        try:
            groups_of(text, classes)
        except ContractError:
            continue
        return text
    return NONE


def follow_source(classes: Classes, path: Path = paths.GROUPS) -> str:
    """Makes the file fit a source that was just pinned, where nobody has written in it: then it is absent, or one of the texts here.
    Returns what is to be said of it, empty where nothing changed; a person's file is kept, and what does not fit is said."""
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    if before is None or before in (NONE, *KNOWN):
        after = groups_for(classes)
        if before == after:
            return ""
        write_text(path, after)
        return f"{path} names {'no groups of classes' if after == NONE else 'groups of its classes'} now, as this source has others"
    try:
        read_groups(classes, path)
    except ContractError as error:
        return f"{path} does not fit this source, and no stage after `train` will run until it does: {error}"
    return ""
