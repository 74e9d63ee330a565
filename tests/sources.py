"""Sources as people have them, made small: photos, a table, and what `lock` reads of them."""

from pathlib import Path

from photos import jpeg

from dermlab.lock.listing import Options
from dermlab.lock.sources import open_source

ROWS = [(f"{i:02d}.jpg", ("nevus", "eczema")[i % 2], f"P{i // 2}") for i in range(8)]


def source(folder: Path, table: str | bytes | None, files=None, name: str = "labels.csv") -> str:
    for i, key in enumerate(files or [row[0] for row in ROWS]):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(jpeg(i))
    if table is not None:
        (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode())
    return f"folder:{folder}"


def table_of(header: str = "image,label,patient_id", rows=ROWS, delimiter: str = ",") -> str:
    return "\n".join([header.replace(",", delimiter), *(delimiter.join(row) for row in rows)])


def scan(uri: str, **options):
    return open_source(uri, Options(min_class_count=1, **options)).scan()


CLASSES = [f"{label}/{image}" for image, label, _ in ROWS]


def scan_classes(where: Path):
    return scan(f"folder:{where}", no_patients=True)
