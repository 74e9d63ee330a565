"""report: one page a person can read, as HTML and as Markdown, and the model card.

Reads   data/catalog.parquet, data/images.parquet, data/shards/, data/quarantine.parquet, data/truth.parquet, data/flags.parquet,
        data/manifest.parquet, data/learnt.parquet, data/predictions.parquet, and the metrics of the stages before
Writes  data/report.html, data/report.md, models/model/README.md, metrics/report.json
Run     dvc repro report        (experiments side by side: dermlab compare BASELINE OTHER)
"""

from dermlab.data.json_files import write_json
from dermlab.report.card import card
from dermlab.report.contents import contents
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.files import write_text
from dermlab.run.params import read_params
from dermlab.run.progress import say


def main() -> None:
    inputs = read_inputs(read_params(Params))
    report = contents(inputs)
    write_text(paths.REPORT_HTML, render("report.html.j2", report=report))
    write_text(paths.REPORT_MD, render("report.md.j2", report=report))
    write_text(paths.MODEL_CARD, render("model-card.md.j2", card=card(report, inputs)))
    write_json(paths.metrics_of("report"), report.numbers)
    say(f"report: {report.verdict}")
    say(f"        {paths.REPORT_HTML.resolve()}")


if __name__ == "__main__":
    run_command(main)
