"""The stage files as one: what ran on which device, what it came to, and the targets."""
import datetime
import json
import shutil

from . import table, targets
from .places import RESULTS, ROOT

STAGES = ("build", "conformance", "sanitizer", "benchmark")


def merged(world):
    stages = {name: stage_of(world.results / f"{name}.json") for name in STAGES}
    library, torch = (stages["benchmark"].get(part, {}) for part in ("library", "torch"))
    rows, peers = library.get("rows", []), torch.get("rows", [])
    return {
        "date": datetime.date.today().isoformat(),
        "emulated": world.is_dry,
        "gpu": world.gpu._asdict() if world.gpu else None,
        "device": library.get("device"),
        "torch": torch.get("device"),
        "stages": {name: {part: without_rows(result) for part, result in parts.items()} for name, parts in stages.items()},
        # Figures of an emulated device say nothing about a GPU.
        "targets": [] if world.is_dry else targets.judged(rows, peers),
        "rows": rows if world.is_dry else table.with_ratios(rows, peers),
        "peers": peers,
    }


def stage_of(file):
    return json.loads(file.read_text())["parts"] if file.exists() else {}


def without_rows(result):
    return {name: value for name, value in result.items() if name not in ("rows", "device", "inputs", "kept")}


def file_of(world):
    """Beside the other results, for a GPU; a dry run never leaves its own folder."""
    return world.results / "emulated.json" if world.is_dry else world.destination / f"{world.gpu.slug}.json"


def write(world):
    result, file = merged(world), file_of(world)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(without_folders(json.dumps(result, indent=1), world) + "\n")
    return result, file


def copy(world, folder):
    """The stage files and the result, where there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*(world.results / f"{name}.json" for name in STAGES), file_of(world)]:
        if file.exists():
            shutil.copy(file, folder)


def without_folders(text, world):
    """What programs said, without where it was on this machine."""
    return text.replace(str(world.work), "work").replace(f"{ROOT}/", "")


def say(result):
    if result["emulated"]:
        print("A dry run on the emulated device: its times mean nothing and are not kept as results.")
    for line in table.lines(result["rows"]):
        print(line)
    for target in result["targets"]:
        word = {True: "met", False: "MISSED", None: "not measured"}[target["met"]]
        print(f"  {word:12} {target['what']}: {target['figure']} (target {target['target']}) {target.get('reason', '')}")


DESTINATION = RESULTS
