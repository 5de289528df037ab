"""What compiles the CUDA sources: nvcc for the GPU's own architecture, or g++ for the emulated device. The flags are those of the build scripts."""
import json
import shutil
from typing import NamedTuple

from . import machine
from .places import INCLUDE, NATIVE, PACKAGE, sources

HALFBYTE = json.loads((PACKAGE / "package.json").read_text())["version"]
EXPORTS = NATIVE / "exports.map"

# scripts/build-cuda.mjs
NVCC_FLAGS = [
    "-O3", "-std=c++17", "-fmad=false", "-prec-div=true", "-prec-sqrt=true", "-ftz=false",
    "-Xcompiler", "-fPIC,-fvisibility=hidden,-Wall,-Wextra,-ffp-contract=off",
]  # fmt: skip
# scripts/build-emulated.mjs
EMULATED_FLAGS = ["-std=c++17", "-O1", "-fPIC", "-fvisibility=hidden", "-pthread", "-ffp-contract=off", "-fno-strict-aliasing", "-U_FORTIFY_SOURCE", "-DHB_EMULATED"]


class Compiler(NamedTuple):
    program: str
    compile: list
    link: list  # a program
    share: list  # a library
    library: str
    sources: list
    facts: str  # a header that is included before every source


def nvcc_for(gpu):
    """None without nvcc or without a GPU to build for."""
    nvcc = machine.find_nvcc()
    if not nvcc or not gpu:
        return None
    version, number = machine.cuda_version(nvcc), gpu.capability.replace(".", "")
    architecture = [f"-gencode=arch=compute_{number},code=sm_{number}"]
    share = ["-shared", "-cudart", "static", "-Xlinker", f"--exclude-libs,ALL,--no-undefined,--version-script={EXPORTS}"]
    facts = {"HB_VERSION": json.dumps(HALFBYTE), "HB_NVCC": json.dumps(version), "HB_SASS": json.dumps(f'["{gpu.capability}"]'), "HB_PTX": '"[]"'}
    library = f"libhalfbyte_cuda{version.replace('.', '')}_sm{number}.so"
    return Compiler(nvcc, NVCC_FLAGS + architecture, ["-cudart", "static", *architecture], share + architecture, library, library_sources(), defines(facts))


def emulating():
    """None without a C++ compiler."""
    program = shutil.which("g++") or shutil.which("clang++")
    if not program:
        return None
    share = ["-shared", "-pthread", f"-Wl,--version-script={EXPORTS}", "-Wl,--no-undefined"]
    every = library_sources() + sources(NATIVE / "emulation", ".cpp")
    return Compiler(program, EMULATED_FLAGS, ["-pthread"], share, "libhalfbyte_cuda_emulated.so", every, defines({"HB_VERSION": json.dumps(HALFBYTE)}))


def library_sources():
    return sources(NATIVE, ".cu", ".cpp")


def bench_sources():
    return sources(NATIVE / "bench", ".cu", ".cpp")


def headers():
    folders = [NATIVE, NATIVE / "bench", NATIVE / "emulation", INCLUDE]
    return [path for folder in folders for path in sources(folder, ".h", ".cuh", ".map")]


def defines(facts):
    return "".join(f"#define {name} {value}\n" for name, value in facts.items())


def compile_command(compiler, source, facts, target):
    language = ["-x", "c++"] if compiler.facts.count("\n") == 1 else []
    return [compiler.program, *compiler.compile, "-I", INCLUDE, "-I", NATIVE, "-include", facts, "-c", *language, source, "-o", target]
