"""Folders of the repository."""
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PACKAGE = HERE.parent
NATIVE = PACKAGE / "native"
INCLUDE = PACKAGE.parent / "native" / "include"
ROOT = PACKAGE.parents[1]
GOLDEN = ROOT / "golden"
CARRY = ROOT / ".carry"
LIBRARIES = PACKAGE / "build"
RESULTS = ROOT / "benchmarks" / "results"


def sources(folder, *suffixes):
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)
