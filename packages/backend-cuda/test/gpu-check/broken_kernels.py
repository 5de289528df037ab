"""
python3 broken_kernels.py LIBRARY FOLDER [hang]: a harness whose case number 5 loses the device, or hangs, and that goes on after it. Prints, as
JSON, the exit codes of both runs, the number that the first says to go on from, and the counts of both together.
"""
import json
import subprocess
import sys
import time
from pathlib import Path

CHECK = Path(__file__).resolve().parents[2] / "gpu-check"
sys.path.insert(0, str(CHECK))

BROKEN = 5


def run_with_broken_case(library, report, begin, how):
    """conformance.py in this process, one job replaced."""
    import conformance
    from harness import jobs
    from harness.library import Library

    real = jobs.jobs

    def broken(*given):
        for number, job in enumerate(real(*given)):
            yield job._replace(run=how_it_breaks(how)) if number == BROKEN else job

    jobs.jobs = broken
    alive = Library.is_alive
    Library.is_alive = lambda self: how != "lose" and alive(self)
    sys.argv = ["conformance.py", "--library", library, "--short", "--begin", str(begin), "--patience", "15" if how == "hang" else "120", "--json", report]
    return conformance.main()


def how_it_breaks(how):
    return (lambda: time.sleep(600)) if how == "hang" else (lambda: ("failed", {"found": "an illegal address"}))


def piece(library, folder, begin, how):
    report = Path(folder) / f"piece-{begin}.json"
    code = subprocess.run([sys.executable, __file__, library, folder, how, str(begin), str(report)], capture_output=True).returncode
    return {**json.loads(report.read_text()), "code": code}


def main(library, folder, how="lose"):
    from check.judging import summed

    first = piece(library, folder, 0, how)
    second = piece(library, folder, first["next"], how)
    both = summed([first, second])
    print(json.dumps({"codes": [first["code"], second["code"]], "next": first["next"], "both": both}))


if len(sys.argv) == 6:
    sys.exit(run_with_broken_case(sys.argv[1], sys.argv[5], int(sys.argv[4]), sys.argv[3]))
main(*sys.argv[1:])
