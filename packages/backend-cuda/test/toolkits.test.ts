/** Finding toolkits, on machines made for it; and for which GPUs a toolkit compiles. */
import { describe, expect, it } from "vitest";
import { architecturesOf, capabilityOf, gencode } from "../scripts/architectures.mjs";
import { findCuobjdump, findToolkits, hostCompiler, type Machine, sysroot, versionIn } from "../scripts/toolkits.mjs";

const says = (build: string): string =>
  `nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release ${build.slice(0, 4)}, V${build}\nBuild cuda_${build}\n`;

/** A machine with these nvcc programs (path to version) and other files. */
function machine(nvccs: Record<string, string>, env: Machine["env"] = {}, files: readonly string[] = []): Machine {
  const paths = [...Object.keys(nvccs), ...files];
  return {
    env,
    home: "/home/u",
    exists: (path) => paths.includes(path),
    list: (folder) => [
      ...new Set(
        paths
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1).split("/")[0]!),
      ),
    ],
    run: (program) => (nvccs[program] === undefined ? undefined : says(nvccs[program])),
  };
}

const told = (found: ReturnType<typeof findToolkits>) => found.map(({ version, toldBy }) => [version, toldBy]);

describe("findToolkits", () => {
  it("asks in order of trust, and keeps the first of a version", () => {
    const here = machine(
      {
        "/named/bin/nvcc": "12.4.131",
        "/home/cuda/bin/nvcc": "11.8.89",
        "/bin/nvcc": "13.0.88",
        "/usr/local/cuda-12.4/bin/nvcc": "12.4.99",
        "/usr/local/cuda-12.6/bin/nvcc": "12.6.85",
        "/home/u/.cache/halfbyte/toolkits/cuda-11.8/bin/nvcc": "11.8.1",
      },
      { CUDA_HOME: "/home/cuda", PATH: "/sbin:/bin" },
    );
    expect(told(findToolkits(["/named"], here))).toEqual([
      ["12.4", "--toolkit"],
      ["11.8", "CUDA_HOME"],
      ["13.0", "PATH"],
      ["12.6", "/usr/local/cuda-12.6"],
    ]);
  });

  it("finds what was fetched, also where a variable puts it", () => {
    const here = machine({ "/kept/cuda-11.8/bin/nvcc": "11.8.89" }, { HALFBYTE_TOOLKITS: "/kept" });
    expect(findToolkits([], here)).toEqual([
      { version: "11.8", build: "11.8.89", nvcc: "/kept/cuda-11.8/bin/nvcc", toldBy: "/kept/cuda-11.8" },
    ]);
  });

  it("takes nothing for a toolkit that does not say its version", () => {
    const here: Machine = { ...machine({ "/usr/local/cuda/bin/nvcc": "12.4.131" }), run: () => "command not found" };
    expect(findToolkits([], here)).toEqual([]);
    expect(findToolkits(["/nowhere"], machine({}))).toEqual([]);
  });

  it("reads a version of two digits in the minor", () => {
    expect(versionIn(says("12.10.3"))).toBe("12.10.3");
    expect(versionIn(undefined)).toBeUndefined();
  });
});

it("CUDA 11 gets the g++ that it takes", () => {
  const fetched = "/home/u/.cache/halfbyte/toolkits/gcc-11/usr/bin/g++-11";
  expect(hostCompiler({ version: "11.8" }, machine({}, {}, [fetched, "/usr/bin/g++-11"]))).toBe(fetched);
  expect(hostCompiler({ version: "11.8" }, machine({}))).toBeUndefined();
  expect(hostCompiler({ version: "12.4" }, machine({}, {}, [fetched]))).toBeUndefined();
});

it("a sysroot counts when it is whole; the newest cuobjdump is taken", () => {
  const cache = "/home/u/.cache/halfbyte/toolkits";
  expect(sysroot(machine({}, {}, [`${cache}/sysroot/lib/x`]))).toBeUndefined();
  expect(sysroot(machine({}, {}, [`${cache}/sysroot/.complete`]))).toBe(`${cache}/sysroot`);
  const dumps = ["11.8", "12.4"].map((version) => `${cache}/cuda-${version}/bin/cuobjdump`);
  expect(findCuobjdump(machine({}, {}, dumps))).toBe(dumps[1]);
});

describe("architectures", () => {
  const listed = (...numbers: readonly number[]) => numbers.map((number) => `compute_${number}\n`).join("");
  const eleven = listed(35, 37, 50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90);
  const thirteen = listed(75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121);

  it("of CUDA 11.8: Maxwell to Hopper, and PTX for what comes after", () => {
    const sass = ["50", "60", "61", "70", "75", "80", "90"];
    expect(architecturesOf(eleven)).toEqual({ sass, ptx: ["90"] });
  });

  it("of CUDA 13.0: Turing to Blackwell", () => {
    const sass = ["75", "80", "90", "100", "110", "120"];
    expect(architecturesOf(thirteen)).toEqual({ sass, ptx: ["120"] });
  });

  it("as arguments and as capabilities", () => {
    const code = ["arch=compute_86,code=sm_86", "arch=compute_90,code=compute_90"];
    expect(gencode({ sass: ["86"], ptx: ["90"] })).toEqual(code.flatMap((value) => ["-gencode", value]));
    expect([capabilityOf("86"), capabilityOf("120")]).toEqual(["8.6", "12.0"]);
  });
});
