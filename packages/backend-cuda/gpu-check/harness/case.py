"""A golden case: its parameters, inputs and expected outputs."""
import json
from pathlib import Path

from . import safetensors
from .operations import NestedScales


class Case:
    def __init__(self, file, record, tensors):
        self.name, self.op = f"{file}:{record['id']}", record["op"]
        self.params, self.record, self.tensors = record["params"], record, tensors

    def wants(self, output):
        return output in self.record["outputs"]

    def has(self, name):
        return name in self.record["inputs"]

    def input(self, name):
        return self.tensors[self.record["inputs"][name]]

    def expected(self, name):
        return self.tensors[self.record["outputs"][name]]

    def nested_scales(self, part, block_size=256):
        """part: input or expected; upstream has no other block size for the scales of 4-bit weights."""
        return NestedScales(part("absmax_u8"), part("nested_absmax"), part("nested_code"), block_size, float(part("offset").data[0]))


def side_cars(folder):
    """Name below the folder and content of every side-car, in order."""
    folder = Path(folder)
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text())
        if content.get("golden_format") == 1 and "cases" in content:
            yield path.relative_to(folder).with_suffix("").as_posix(), path, content


def cases(folder):
    for name, path, content in side_cars(folder):
        tensors = safetensors.read(path.with_name(content["tensors"]))
        for record in content["cases"]:
            yield Case(name, record, tensors)


class Tables:
    """The tables of 4-bit types and the 8-bit map that the vectors hold; formats take tables as data."""

    def __init__(self, folder):
        maps = [case for case in cases(Path(folder) / "8bit") if case.name.startswith("maps:")]
        named = [case for case in maps if case.op == "get_4bit_type"]
        self.four_bit = {case.params["typename"]: case.expected("code") for case in named}
        self.dynamic = next(case.expected("code") for case in maps if case.op == "create_dynamic_map" and case.params == {"signed": True})
