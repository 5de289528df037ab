"""A program with a limit of time; what it started ends with it."""
import os
import signal
import subprocess
from typing import NamedTuple


class Outcome(NamedTuple):
    code: int  # None: stopped at the limit
    out: str
    err: str

    @property
    def said(self):
        return f"{self.out}\n{self.err}".strip()


def run(arguments, limit, **options):
    """limit in seconds. The program leads a group of its own, which is ended as a whole."""
    given = [str(one) for one in arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(given, stdout=pipe, stderr=pipe, text=True, errors="replace", start_new_session=True, **options) as process:
        try:
            out, err = process.communicate(timeout=max(1, limit))
            return Outcome(process.returncode, out, err)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            return Outcome(None, out, err)


def last_lines(text, count=12):
    return [line for line in text.splitlines() if line.strip()][-count:]
