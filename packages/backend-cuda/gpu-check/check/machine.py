"""The machine: its GPU, its driver, and the programs of the stages."""
import os
import re
import shutil
from glob import glob
from pathlib import Path
from typing import NamedTuple

from . import command
from .places import CARRY


class Gpu(NamedTuple):
    name: str
    driver: str
    capability: str  # 9.0
    memory: str

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def find_gpu(index=0):
    """By nvidia-smi, which every driver brings; none when there is no GPU."""
    program = shutil.which("nvidia-smi")
    if not program:
        return None
    fields = "name,driver_version,compute_cap,memory.total"
    asked = command.run([program, f"--query-gpu={fields}", "--format=csv,noheader", f"--id={index}"], 30)
    values = [value.strip() for value in asked.out.strip().split(",")]
    return Gpu(*values) if asked.code == 0 and len(values) == 4 else None


def find_nvcc():
    return find_program("nvcc", "bin/nvcc")


def find_sanitizer():
    carried = CARRY / "compute-sanitizer" / "compute-sanitizer"
    return carried if carried.exists() else find_program("compute-sanitizer", "bin/compute-sanitizer", "compute-sanitizer/compute-sanitizer")


def find_program(name, *inside):
    """On PATH, else in a toolkit: CUDA_HOME, CUDA_PATH, /usr/local/cuda*, the newest first."""
    on_path = shutil.which(name)
    toolkits = [os.environ.get(variable) for variable in ("CUDA_HOME", "CUDA_PATH")] + sorted(glob("/usr/local/cuda*"), key=version_in, reverse=True)
    found = [Path(toolkit) / place for toolkit in toolkits if toolkit for place in inside]
    return next((path for path in [Path(on_path or "/nowhere"), *found] if path.is_file()), None)


def version_in(path):
    return [int(number) for number in re.findall(r"\d+", Path(path).name)]


def cuda_version(nvcc):
    """13.0 as nvcc says it."""
    match = re.search(r"release (\d+\.\d+)", command.run([nvcc, "--version"], 30).out)
    return match.group(1) if match else None
