"""Pseudonyms of keys. A path may name a patient, and tables that hold keys are pushed: there each key is a digest instead, and a file that
stays on this machine says which key it stands for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.files import atomic_path
from dermlab.run.objects.keys import ObjectError, Objects

PREFIX = "pseudonym:"


class Pseudonyms:
    """What a file at `path` says of them; there need be none where no key is a pseudonym."""

    def __init__(self, path: Path = paths.KEYS) -> None:
        self.path = path

    def remember(self, key_of: Mapping[str, str]) -> None:
        """`key_of`: by pseudonym. Those of other sources stay: one means the same key wherever it stands. The file's owner alone may read
        it: it is all that pseudonyms hide."""
        with atomic_path(self.path) as unfinished:
            unfinished.touch(mode=0o600)
            unfinished.write_text(
                json.dumps({**self._key_of, **key_of}, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8"
            )

    def key(self, name: str) -> str:
        """`name`: a key or its pseudonym. Raises SourceError where nothing here says what it stands for."""
        if not name.startswith(PREFIX):
            return name
        if name not in self._key_of:
            raise SourceError(
                f"The tables hold pseudonyms of the photos' paths, and {self.path} does not say here which file each is. Bring that file "
                "from the machine that locked the source, or run the same `dermlab lock SOURCE --pseudonymise` here, under its DERMLAB_KEY."
            )
        return self._key_of[name]

    @cached_property
    def _key_of(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.path.read_text(encoding="utf-8"))) if self.path.exists() else {}
        except (OSError, ValueError, TypeError) as error:
            raise SourceError(f"{self.path} cannot be read ({error}). Restore it, or remove it and lock the source again.") from error


@dataclass(frozen=True)
class Named:
    """Objects by the names that tables have for them: keys or pseudonyms. What `some` gives is small, and all that a process needs."""

    objects: Objects
    pseudonyms: Pseudonyms

    def some(self, keys: Sequence[str]) -> Objects:
        key_of = {name: self.pseudonyms.key(name) for name in keys}
        objects = self.objects.some(list(key_of.values()))
        return _Some(objects, key_of) if any(name != key for name, key in key_of.items()) else objects

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        return self.some(keys).read_many(keys)


@dataclass(frozen=True)
class _Some:
    objects: Objects
    key_of: Mapping[str, str]

    def some(self, keys: Sequence[str]) -> Objects:
        return _Some(self.objects.some([self.key_of[name] for name in keys]), {name: self.key_of[name] for name in keys})

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        try:
            yield from self.objects.read_many([self.key_of[name] for name in keys])
        except ObjectError as error:  # by the name that whoever asked knows
            raise ObjectError(next(name for name, key in self.key_of.items() if key == error.key), error.why) from error
