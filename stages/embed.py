"""embed: features of the frozen backbone, for every image pulled.

Reads   data/images.parquet, data/shards/
Writes  data/embeddings/, metrics/embed.json
Run     dvc repro embed        (on every GPU there is, or on machine.gpus of them)
"""

from dermlab.data.embeddings import write_embeddings
from dermlab.data.json_files import write_json
from dermlab.data.shards import Shards
from dermlab.data.tables import IMAGES, read_table
from dermlab.embed.features import embed
from dermlab.embed.params import Params
from dermlab.embed.parts import Parts
from dermlab.model.backbones import create_backbone
from dermlab.model.runtime import processes
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.last_run import last_run
from dermlab.run.machine import read_machine
from dermlab.run.params import check_params, read_params
from dermlab.run.progress import say


def main() -> None:
    check_params()  # hours may pass before the other stages read theirs
    params, machine = read_params(Params), read_machine()
    state = processes()
    with state.main_process_first():
        backbone = create_backbone(params.backbone, params.embed.image_size)
    images, last = read_table(paths.IMAGES, IMAGES), last_run("embed", but=(paths.IMAGES, paths.SHARDS))
    embeddings, reused = embed(backbone, images, Shards(), params.embed.image_size, machine.batch_size, machine.loaders, last)
    if not state.is_main_process:
        return
    write_embeddings(embeddings)
    Parts(embeddings.info).remove()
    info = embeddings.info
    counts = {"images": len(images), "features": info.features, "image_size": info.image_size}
    write_json(paths.metrics_of("embed"), counts)
    said = f", {reused} of them from the last run" if reused else ""
    say(f"embed: {len(images)} images{said}, {info.features} features of {info.backbone} at {info.image_size} px")
    if backbone.image_size != info.image_size:
        say(f"       the weights were trained at {backbone.image_size} px")


if __name__ == "__main__":
    run_command(main, shared=True)
