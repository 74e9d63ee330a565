"""From a source to its pin: key, size and etag of every object, classes, questions, labels, and ids that tell nothing of the keys."""

import hashlib
import os
from pathlib import Path

import pandas as pd

from dermlab.data.pin import Pin, write_pin
from dermlab.lock.disclosure import check_answers
from dermlab.lock.listing import Listing, Options
from dermlab.lock.sources import open_source
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.location import write_location
from dermlab.run.objects.keys import check_key
from dermlab.run.objects.pseudonyms import PREFIX, Pseudonyms
from dermlab.run.progress import say

SECRET = 8  # characters at least, of a key that nobody tries out


def lock(uri: str, options: Options, folder: Path = paths.SOURCE, location: Path = paths.LOCATION) -> Pin:
    """Scans the source, writes `folder`, and notes in `location` where the objects lie, and beside it, in the file named as KEYS, what
    pseudonyms stand for. Raises SourceError or ContractError; the old pin then still stands."""
    if options.pseudonymise:
        _check_secret()
    source = open_source(uri, options)
    listing = source.scan()
    for key in listing.manifest["key"]:
        check_key(key, uri)
    if options.pseudonymise:
        for line in check_answers(_placed(listing.manifest, listing), uri):
            say(f"      {line}")
    for line in _said_of_splits(listing):
        say(f"      {line}")
    id_of_key = _ids(listing.manifest["key"])
    manifest = listing.manifest.assign(image_id=listing.manifest["key"].map(id_of_key))
    for column in ("patient_id", "case_id"):
        if options.pseudonymise:
            manifest[column] = manifest[column].map(lambda name: opaque_id(f"person\0{name}"), na_action="ignore")
        manifest[column] = manifest[column].fillna(manifest["image_id"])  # where nobody knows the patients each photo is one
    if options.pseudonymise:
        manifest["key"] = PREFIX + manifest["image_id"]
        Pseudonyms(location.with_name(paths.KEYS.name)).remember(dict(zip(manifest["key"], listing.manifest["key"], strict=True)))
    manifest = manifest[["image_id", *listing.manifest.columns]]
    truth = listing.truth.assign(
        image_id=listing.truth["key"].map(id_of_key), duplicate_of=listing.truth["duplicate_of"].map(id_of_key)
    ).drop(columns="key")
    truth["duplicate_of"] = truth["duplicate_of"].astype(object).where(truth["duplicate_of"].notna(), None)
    pin = write_pin(uri.partition(":")[0], manifest, truth, listing.classes, listing.questions, folder)
    write_location(source.location, options.endpoint_url if source.location.startswith("s3://") else None, location)
    return pin


def opaque_id(key: str) -> str:
    """16 hex digits: BLAKE2b of the key, itself keyed by `DERMLAB_KEY` where that is set, so that nobody can try out file names. A path
    such as `patients/Smith/1.jpg` stays in data/source."""
    return hashlib.blake2b(key.encode(), digest_size=8, key=os.environ.get("DERMLAB_KEY", "").encode()[:64]).hexdigest()


def _placed(manifest: pd.DataFrame, listing: Listing) -> pd.DataFrame:
    """The index is where the source has each row."""
    return manifest if listing.places is None else manifest.set_axis(listing.places)


def _check_secret() -> None:
    if len(os.environ.get("DERMLAB_KEY", "").strip()) < SECRET:
        raise SourceError(
            f"--pseudonymise needs a secret: set DERMLAB_KEY, {SECRET} characters or more and the same each time, or whoever guesses a "
            "name could check it."
        )


def _ids(keys: pd.Series) -> dict[str, str]:
    ids = {key: opaque_id(key) for key in keys}
    if len(ids) != len(keys):
        twice = keys[keys.duplicated()].iat[0]
        raise SourceError(f"The source names {twice!r} in two rows. One row an image: remove the one that does not hold.")
    if len(set(ids.values())) != len(ids):
        raise SourceError("Two keys have one id. Set DERMLAB_KEY to any other text and lock again.")
    return ids


def _said_of_splits(listing: Listing) -> list[str]:
    """The classes that a model would be tested on and could not learn."""
    labels = listing.manifest["diagnosis"].groupby(listing.manifest["split"])
    in_split = {split: set(of_split) for split, of_split in labels}
    unlearnt = [name for name in listing.classes.targets if in_split and name not in in_split.get("train", ())]
    return [f"no photo of split train is of these classes, so no model can learn them: {', '.join(unlearnt)}"] if unlearnt else []
