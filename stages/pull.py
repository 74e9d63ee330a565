"""pull: every wanted image, verified, upright, without metadata, in shards. Knows no label.

Reads   data/wanted.parquet; the objects, where `dermlab lock` or DERMLAB_SOURCE says that they lie
Writes  data/images.parquet, data/shards/, data/quarantine.parquet, metrics/pull.json
Run     dvc repro pull        (tiny: dermlab lock phantom --images 300)
"""

from dermlab.data.json_files import write_json
from dermlab.data.tables import IMAGES, QUARANTINE, WANTED, read_table, write_table
from dermlab.pull.budget import check_disk
from dermlab.pull.pack import pack
from dermlab.pull.params import Params
from dermlab.pull.reuse import earlier_photos
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.last_run import last_run
from dermlab.run.location import read_location
from dermlab.run.machine import read_machine
from dermlab.run.objects.opening import open_objects
from dermlab.run.params import check_params, read_params
from dermlab.run.progress import say
from dermlab.run.workers import executor_of


def main() -> None:
    check_params()  # hours may pass before the other stages read theirs
    params = read_params(Params).pull
    wanted = read_table(paths.WANTED, WANTED)
    earlier = earlier_photos(wanted, last_run("pull", but=paths.WANTED))
    machine = read_machine()
    check_disk(wanted.drop(wanted.index[wanted["image_id"].isin(earlier.index)]), len(wanted), params.image_size, machine.disk_budget_gb)
    objects = open_objects(*read_location(), machine.connections)
    with executor_of(machine) as executor:
        pulled = pack(wanted, objects, params, executor, earlier)
    write_table(paths.IMAGES, pulled.images, IMAGES)
    write_table(paths.QUARANTINE, pulled.quarantine, QUARANTINE)
    write_json(paths.metrics_of("pull"), {"images": len(pulled.images), "quarantined": len(pulled.quarantine)})
    reused = f", {len(earlier)} of them from the last run" if len(earlier) else ""
    say(f"pull: {len(pulled.images)} images, {len(pulled.quarantine)} quarantined{reused}")
    for note, count in pulled.notes.items():
        say(f"      {count} files: {note}")


if __name__ == "__main__":
    run_command(main)
