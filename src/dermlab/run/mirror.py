"""A copy of the checkpoint in a bucket, for a machine that may be gone with its disk."""

import os
import shutil
import threading
from pathlib import Path
from typing import Any

from dermlab.run.errors import SourceError
from dermlab.run.files import atomic_path
from dermlab.run.objects.s3 import open_store, reason_of, split
from dermlab.run.progress import say

STATE = "state.pt"  # a checkpoint's file


class Mirror:
    """`uri`: s3://BUCKET/PREFIX, or `none`; `folder`: of the checkpoint, whose name is that of the copy. Raises SourceError."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri, self.folder = uri, folder
        self._store: Any = open_store(*split(uri), os.environ.get("AWS_ENDPOINT_URL")) if uri != "none" else None
        self._key = f"{folder.name}/{STATE}"
        self._sending: threading.Thread | None = None
        self._said = False

    def fetch(self) -> None:
        """Brings the copy where this machine has no checkpoint. Raises SourceError where the bucket cannot be asked: to start anew without
        a word would cost what the copy was made to save."""
        if self._store is None or (self.folder / STATE).exists():
            return
        import obstore

        try:
            answer = obstore.get(self._store, self._key)
        except FileNotFoundError:
            return
        except Exception as error:  # obstore's errors have no common base but Exception
            raise SourceError(f"machine.checkpoint_mirror, {self.uri}: {reason_of(error)}.") from error
        with atomic_path(self.folder / STATE) as unfinished, open(unfinished, "wb") as file:
            for part in answer:
                file.write(part)
        say(f"train: the checkpoint of another machine came from {self.uri}")

    def send(self, *, wait: bool = False) -> None:
        """Copies the checkpoint while training goes on; one that comes while another is under way is left to the next. `wait`: until it is
        there, since the process is about to end. That it fails is said once and stops nothing."""
        if self._store is None:
            return
        if self._sending and self._sending.is_alive():
            if not wait:
                return
            self._sending.join()
        snapshot = self.folder / "sending.pt"  # another name of the same bytes, which the next checkpoint does not replace
        snapshot.unlink(missing_ok=True)
        try:
            os.link(self.folder / STATE, snapshot)
        except OSError:  # a file system without hard links
            shutil.copyfile(self.folder / STATE, snapshot)
        self._sending = threading.Thread(target=self._send, args=(snapshot,), daemon=True)
        self._sending.start()
        if wait:
            self._sending.join()

    def _send(self, snapshot: Path) -> None:
        import obstore

        try:
            obstore.put(self._store, self._key, snapshot)
        except Exception as error:  # obstore's errors have no common base but Exception
            if not self._said:
                said = f"train: {self.uri} could not be written: {reason_of(error)}."
                say(f"{said} Training goes on; its checkpoints are on this machine alone")
            self._said = True
        finally:
            snapshot.unlink(missing_ok=True)

    def remove(self) -> None:
        """The run has ended: the copy goes, as the checkpoint does."""
        if self._store is None:
            return
        import obstore

        if self._sending:
            self._sending.join()
        try:
            obstore.delete(self._store, self._key)
        except FileNotFoundError:
            return
        except Exception as error:  # obstore's errors have no common base but Exception
            say(f"train: {self.uri}/{self._key} could not be removed: {reason_of(error)}. Remove it by hand")
