"""What a training leaves, to be compared byte by byte."""

from pathlib import Path


def files_of(folder: Path) -> dict[str, bytes]:
    """But for the log, which tells times."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "train-log.jsonl")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
