"""embed: features of the frozen backbone, for every image pulled.

Reads   data/catalog.parquet, data/shards/
Writes  data/embeddings/, metrics/embed.json
Run     dvc repro embed        (several GPUs: torchrun --nproc-per-node=8 stages/embed.py)
"""

from accelerate import PartialState

from dermlab.data import paths
from dermlab.data.embeddings import write_embeddings
from dermlab.data.files import write_json
from dermlab.data.params import read_params
from dermlab.data.progress import say
from dermlab.data.shards import Shards
from dermlab.data.stage import run_stage
from dermlab.data.tables import CATALOG, read_table
from dermlab.embed.features import embed
from dermlab.model.backbones import create_backbone


def main() -> None:
    params = read_params()
    state = PartialState()
    with state.main_process_first():
        backbone = create_backbone(params.backbone, params.embed.image_size)
    catalog = read_table(paths.CATALOG, CATALOG)
    embeddings = embed(backbone, catalog, Shards(), params.embed.image_size, params.embed.batch_size)
    if not state.is_main_process:
        return
    write_embeddings(embeddings)
    info = embeddings.info
    counts = {"images": len(embeddings.image_ids), "features": info.features, "image_size": info.image_size}
    write_json(paths.metrics_of("embed"), counts)
    say(f"embed: {len(catalog)} images, {info.features} features of {info.backbone} at {info.image_size} px")


if __name__ == "__main__":
    run_stage(main)
