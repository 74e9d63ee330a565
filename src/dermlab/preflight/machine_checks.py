"""What this machine has, tried rather than asked."""

import io
import os
import shutil
import time
import uuid
from pathlib import Path

import numpy as np
from PIL import Image

from dermlab.preflight.estimate import GO, LOOK, NO, Check
from dermlab.run.errors import DermlabError, SourceError
from dermlab.run.location import read_location
from dermlab.run.objects.opening import open_objects

NEEDED_SHM = 1e9  # bytes; loaders hand batches over through /dev/shm, and a container's default of 64 MB ends them with a bus error


def gpu(precision: str) -> Check:
    import torch

    if not torch.cuda.is_available():
        built = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is built without CUDA"
        return Check("GPU", LOOK, f"none is usable ({built}); everything runs on the CPU")
    device = torch.cuda.get_device_properties(0)
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    said = f"{torch.cuda.device_count()} x {device.name}, {device.total_memory / 1e9:.0f} GB, {'with' if bf16 else 'without'} bfloat16"
    return Check("GPU", NO if precision == "bf16" and not bf16 else GO, said)


def memory(shm: Path = Path("/dev/shm")) -> Check:
    if not shm.exists():
        return Check("/dev/shm", LOOK, "not there")
    free = shutil.disk_usage(shm).free
    enough = free >= NEEDED_SHM
    hint = "" if enough else "; start the container with --shm-size=8g"
    return Check("/dev/shm", GO if enough else NO, f"{free / 1e9:.1f} GB free{hint}")


def decoding(image_size: int, speed: float | None) -> Check:
    """Whether the cores keep a GPU fed that trains `speed` images/s: decoding is timed here."""
    noise = np.random.default_rng(0).integers(0, 255, (image_size // 4, image_size // 3, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((image_size * 4 // 3, image_size)).save(file, "JPEG", quality=92)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 0.3:
        Image.open(io.BytesIO(file.getvalue())).convert("RGB").resize((image_size, image_size))
        count += 1
    rate, cores = count / (time.perf_counter() - started), len(os.sched_getaffinity(0))
    said = f"{cores} cores decode about {rate * cores:,.0f} images/s of {image_size} px"
    if speed is None:
        return Check("cores", GO, said)
    return Check("cores", GO if rate * cores > 1.3 * speed else LOOK, said + f"; training takes {speed:,.0f}")


def source(key: str | None) -> Check:
    """Reads one object. The key is not shown."""
    try:
        if key is None:
            raise DermlabError("nothing is pinned yet: `dermlab lock SOURCE`")
        started = time.perf_counter()
        (data, _), *_ = open_objects(*read_location()).some([key]).read_many([key])
        return Check("source", GO, f"one object read ({len(data) / 1e3:,.0f} KB in {time.perf_counter() - started:.1f} s)")
    except DermlabError as error:
        return Check("source", NO, " ".join(str(error).split()))


def remote() -> Check:
    """Writes a file to DVC's remote and removes it: what is not pushed is gone with the pod."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            store = repo.cloud.get_remote()
            path = store.fs.join(store.path, f"preflight-{uuid.uuid4().hex}")
            with store.fs.open(path, "wb") as file:
                file.write(b"preflight")
            store.fs.remove(path)
        return Check("remote", GO, "a file was written to DVC's remote and removed")
    except DvcException as error:
        return Check("remote", LOOK, f"DVC has no remote that works ({' '.join(str(error).split())[:120]}); results stay on this machine")
    except Exception as error:  # whatever the remote's own library raises
        why = f"DVC's remote cannot be written ({type(error).__name__}). Check its credentials"
        return Check("remote", LOOK, f"{why}; results stay on this machine")


def weights(backbone: str) -> Check:
    """For a model on the hub, which may be gated: whether this token may fetch it; of a library's own list: whether it is there."""
    from dermlab.model.backbones import check_is_listed
    from dermlab.model.hub import fetched
    from dermlab.model.names import folder_of, repository_of

    if (named := repository_of(backbone)) is None:
        try:
            check_is_listed(backbone)
        except DermlabError as error:
            return Check("weights", NO, str(error))
        if backbone == "lite0":
            return Check("weights", GO, "those of lite0 lie on this machine")
        return Check("weights", LOOK, f"{backbone} is fetched from a hub when `embed` starts, unless its cache has it; that was not tried")
    from huggingface_hub import hf_hub_download

    repository, revision = named
    described = "open_clip_config.json" if backbone.startswith("open_clip:") else "config.json"
    try:
        if (folder := folder_of(backbone)) is not None:
            whole = (folder / described).is_file()
            return Check("weights", GO if whole else NO, f"{folder} is a folder here{'' if whole else f', and has no {described}'}")
    except DermlabError as error:
        return Check("weights", NO, str(error))
    try:
        with fetched(backbone, True):
            hf_hub_download(repository, described, revision=revision)
    except SourceError:
        page = f"https://huggingface.co/{repository}"
        return Check("weights", NO, f"{page} is not to be had. Accept its terms there, set HF_TOKEN, or point HF_HOME at a filled cache")
    pinned = "" if revision else "; its revision is not pinned (@<revision> behind the name pins it)"
    return Check("weights", GO, f"{repository} is reachable{pinned}")
