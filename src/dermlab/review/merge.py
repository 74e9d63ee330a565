"""What one person decided, from the exported file into the ledger: all of it or nothing."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.classes import DROP, Classes
from dermlab.data.ledger import HEADER, read_ledger
from dermlab.data.lines import READERS, check_new, with_lines
from dermlab.review.conclude import check_classes_remain
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import alone_in, write_together

NAMED = 5  # conflicting lines an error names


@dataclass(frozen=True)
class Merged:
    """Lines by what they did to the ledger; the first three were added."""

    confirmed: int
    relabelled: int
    dropped: int
    already_there: int

    @property
    def added(self) -> int:
        return self.confirmed + self.relabelled + self.dropped


@alone_in(paths.RELABELS.parent)
def merge_decisions(decisions: Path, catalog: pd.DataFrame, classes: Classes, ledger: Path = paths.RELABELS) -> Merged:
    """Appends the new decisions to the ledger in their order; the lines that stand there are left as they are.

    A decision that is in the ledger already is passed over, so merging twice is merging once. Raises ContractError, with nothing
    written, where a line breaks a rule of the ledger (`read_ledger`), holds what is no plain text (`check_new`), or says something else
    than the ledger about its image, or is signed as conclusions are.
    """
    if not Path(decisions).exists():
        raise ContractError(f"{decisions} does not exist. Export the decisions on the review page (E) and name that file.")
    new, old = read_ledger(decisions, catalog, classes), read_ledger(ledger, catalog, classes)
    if len(signed := new.index[new["reviewer"].str.casefold() == READERS]):
        raise ContractError(
            f"{decisions}, line {signed[0]}: is signed `{READERS}`, as what is concluded from readers' answers is, and would be lost "
            "with the next conclusion. Nothing was merged. Sign with a name of your own."
        )
    line_of = {image: line for line, image in old["image_id"].items()}
    known = new["image_id"].map(old.set_index("image_id")["to_label"])
    differs = known.notna() & (known != new["to_label"])
    if differs.any():
        said = [
            f"line {line}, image {new.at[line, 'image_id']!r}: says {new.at[line, 'to_label']}, but {ledger}, "
            f"line {line_of[new.at[line, 'image_id']]}, says {known[line]}"
            for line in new.index[differs][:NAMED]
        ]
        more = f"; and {differs.sum() - NAMED} more" if differs.sum() > NAMED else ""
        raise ContractError(
            f"{decisions}, {'; '.join(said)}{more}. Nothing was merged. Remove the line that does not hold from either file."
        )
    added = new[known.isna()]
    check_new(decisions, added)
    both = pd.concat([old, added])
    check_classes_remain(str(decisions), catalog, classes, both["image_id"], both["to_label"])
    write_together({Path(ledger): with_lines(Path(ledger), added, HEADER)})
    confirmed, dropped = added["to_label"] == added["from_label"], added["to_label"] == DROP
    return Merged(int(confirmed.sum()), int((~confirmed & ~dropped).sum()), int(dropped.sum()), already_there=len(new) - len(added))
