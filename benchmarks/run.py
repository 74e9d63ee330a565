"""Runs every benchmark this machine can and prints one table: python benchmarks/run.py [--quick]"""

import json
import subprocess
import sys

from harness import HERE, names
from rich.console import Console
from rich.table import Table


def main() -> None:
    table = Table("benchmark", "ours", "best peer", "unit", "ratio", "goal", "met")
    for name in names():
        print(f"{name} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, HERE / f"{name}.py", *sys.argv[1:]], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            table.add_row(name, *[""] * 5, f"failed ({done.returncode})")
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        if "skipped" in result:
            table.add_row(result["name"], *[""] * 5, f"skipped: {result['skipped']}")
            continue
        best = (max if result["unit"] in ("average precision", "images/s", "objects/s", "% told apart") else min)(result["peers"].values())
        table.add_row(
            result["name"], f"{result['ours']:,.2f}", f"{best:,.2f}", result["unit"],
            f"{result['ratio']:.2f}", f"{result['goal']:g}", "yes" if result["met"] else "no",
        )  # fmt: skip
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
