#!/usr/bin/env python3
"""
Checks the CUDA library on a GPU: builds it, judges it, runs sanitizers over it, measures it, and writes benchmarks/results/<gpu>.json.

    python3 packages/backend-cuda/gpu-check/gpu_check.py [build] [conformance] [sanitizer] [benchmark] [result] [--dry-run] [--force]

Without a stage: all of them. A stage ends within eight minutes and leaves <results>/<stage>.json; what is done and unchanged is not done
again, and what there was no time for is done by the next call. --dry-run does it all with the emulated device. docs/gpu-check.md says more.

Exit code 0: nothing failed; 1: something did, or waits for another call; 2: there is no GPU, or the arguments are wrong.
"""
import argparse
import sys
from pathlib import Path

from check import benchmarking, build, compilers, judging, machine, result, sanitizing
from check.parts import Stage
from check.places import LIBRARIES

STAGES = {"build": build.parts, "conformance": judging.parts, "sanitizer": sanitizing.parts, "benchmark": benchmarking.parts}


class World:
    """What every stage needs to know."""

    def __init__(self, wish):
        self.is_dry = wish.dry_run
        self.gpu = None if wish.dry_run else machine.find_gpu()
        self.compiler = compilers.emulating() if wish.dry_run else compilers.nvcc_for(self.gpu)
        self.work = Path(wish.work).resolve()
        self.results = Path(wish.results or self.work / "results").resolve()
        self.destination = Path(wish.results or result.DESTINATION).resolve()
        # A result holds for this device and its driver.
        self.device_text = "emulated" if wish.dry_run else str(self.gpu)


def main():
    wish = options()
    world = World(wish)
    if not world.gpu and not wish.dry_run:
        print("No NVIDIA GPU found (nvidia-smi). --dry-run goes through all of it with the emulated device.", file=sys.stderr)
        return 2
    world.work.mkdir(parents=True, exist_ok=True)
    is_good = all([Stage(name, world.results, wish.force).run(STAGES[name](world)) for name in STAGES if name in wish.stages])
    if "result" in wish.stages:
        merged, file = result.write(world)
        result.say(merged)
        print(f"Written: {file.name}")
    if wish.copy:
        result.copy(world, Path(wish.copy))
    return 0 if is_good else 1


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [*STAGES, "result"]
    parser.add_argument("stages", nargs="*", choices=[*every, []], help="all of them by default")
    parser.add_argument("--dry-run", action="store_true", help="the emulated device, tiny sizes")
    parser.add_argument("--force", action="store_true", help="do again what is done")
    parser.add_argument("--work", help="what is built; kept between calls")
    parser.add_argument("--results", help="stage files, and the result itself instead of benchmarks/results; kept between calls")
    parser.add_argument("--copy", help="a folder that gets a copy of all of them, after every call")
    wish = parser.parse_args()
    wish.stages = wish.stages or every
    wish.work = wish.work or LIBRARIES / ("gpu-check-dry" if wish.dry_run else "gpu-check")
    return wish


if __name__ == "__main__":
    sys.exit(main())
