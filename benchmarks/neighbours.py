"""Ten nearest neighbours among 120,000 x 1,152 float16: ours against faiss's exact flat index. Goal: twice as fast, the same
neighbours (recall at least 0.99), less than 3 GB. And near-duplicates among 120,000 perceptual hashes within 6 bits, in seconds.

faiss is no dependency of dermlab: pip install -r benchmarks/requirements.txt
"""

import tempfile
from pathlib import Path

import numpy as np
from harness import apart, contestant, median_of, record, seconds

from dermlab.flag.duplicates import near_pairs
from dermlab.flag.neighbours import nearest

K, BITS = 10, 6
FOUND = Path(tempfile.gettempdir())  # where contestants leave their neighbours, to be compared


def task(quick: bool) -> np.ndarray:
    """Features float16 [N, D] around 2,000 centres, as photos lie around conditions."""
    rows, width = (4_000, 128) if quick else (120_000, 1_152)
    rng = np.random.default_rng(17)
    centres = rng.normal(size=(rows // 60, width)).astype(np.float32)
    features = np.empty((rows, width), dtype=np.float16)
    for start in range(0, rows, 10_000):
        part = slice(start, start + 10_000)
        shape = features[part].shape
        features[part] = centres[rng.integers(0, len(centres), shape[0])] + 0.8 * rng.normal(size=shape).astype(np.float32)
    return features


def ours(quick: bool) -> dict:
    features = task(quick)
    nearest(features[:3_000], K)  # warm-up
    found: list[np.ndarray] = []
    took = seconds(lambda: found.append(nearest(features, K)[0]))
    np.save(FOUND / "neighbours-ours.npy", found[0])
    return {"seconds": took}


def faiss(quick: bool) -> dict:
    import faiss

    features = task(quick).astype(np.float32)
    faiss.normalize_L2(features)
    found: list[np.ndarray] = []

    def search() -> None:
        index = faiss.IndexFlatIP(features.shape[1])
        index.add(features)
        rows = index.search(features, K + 1)[1]
        own = rows == np.arange(len(rows))[:, None]
        own[~own.any(axis=1), -1] = True
        found.append(rows[~own].reshape(len(rows), K))

    took = seconds(search)
    np.save(FOUND / "neighbours-faiss.npy", found[0])
    return {"seconds": took}


def hashes(quick: bool) -> dict:
    rng = np.random.default_rng(17)
    phash = rng.integers(0, 2**64, 4_000 if quick else 120_000, dtype=np.uint64)
    copies = rng.choice(len(phash), len(phash) // 100, replace=False)
    phash[copies] = phash[(copies + 1) % len(phash)] ^ np.uint64(0b101)
    pairs: list[np.ndarray] = []
    near_pairs(phash[:2_000], BITS)
    took = seconds(lambda: pairs.append(near_pairs(phash, BITS)))
    return {"seconds": took, "pairs": len(pairs[0])}


def main() -> None:
    contestants = {"ours": ours, "faiss": faiss, "hashes": hashes}
    options = contestant(__doc__, contestants, ("faiss-cpu",))
    if options is None:
        return
    results = apart(__file__, list(contestants), options)
    mine, theirs = (np.load(FOUND / f"neighbours-{name}.npy") for name in ("ours", "faiss"))
    recall = float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(mine[::20], theirs[::20], strict=True)]))
    took = {name: median_of(rounds, "seconds") for name, rounds in results.items()}
    record(
        "neighbours", took["ours"], {"faiss flat": took["faiss"]}, "s", 2.0, ("torch", "faiss-cpu", "numpy"),
        ratio=took["faiss"] / took["ours"], keep=not options.quick,
        recall=round(recall, 4), recall_goal=0.99, peak_gb={name: median_of(rounds, "peak_gb") for name, rounds in results.items()},
        peak_gb_goal=3.0, hash_pairs_s=round(took["hashes"], 2),
    )  # fmt: skip


if __name__ == "__main__":
    main()
