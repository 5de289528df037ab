/** One fix for a code on a kind of system. What follows from whole machines is in diagnose.test.ts. */

import type { ErrorCode } from "@halfbyte/core";
import { reasonOf } from "@halfbyte/native";
import { describe, expect, it } from "vitest";
import type { MachineFacts } from "../src/machine-facts.js";
import { suggestedFix } from "../src/suggested-fix.js";
import { linux, versionOf } from "./libraries.js";

interface Where {
  readonly kind?: MachineFacts["system"]["kind"];
  readonly platform?: NodeJS.Platform;
  readonly libc?: MachineFacts["system"]["libc"];
  readonly distribution?: string;
  readonly env?: Record<string, string>;
  readonly driver?: string;
}

function fixFor(
  code: ErrorCode | "DRIVER_OLDER",
  { kind = "bare metal", platform = "linux", libc = linux.libc, driver, ...where }: Where = {},
) {
  const reason = code === "DRIVER_OLDER" ? { code, message: "It is so.", remedy: "" } : reasonOf(code, "It is so.");
  const facts: MachineFacts = {
    system: { ...linux, platform, libc, kind, node: "22.0.0" },
    driver: driver === undefined ? reason : versionOf(driver),
    frameworks: [],
    toolkits: [],
    runtimes: [],
  };
  return suggestedFix({
    reason,
    facts,
    env: where.env ?? {},
    candidates: [],
    failed: [],
    ...(where.distribution && { distribution: where.distribution }),
  });
}

const compat = { LD_LIBRARY_PATH: "/usr/local/cuda/compat:/opt/lib" };

describe.each<[ErrorCode, Where, string | null, RegExp]>([
  ["CUDA_NO_DRIVER", { distribution: "ubuntu" }, "sudo ubuntu-drivers install", /Install the NVIDIA driver/],
  ["CUDA_NO_DRIVER", { distribution: "debian" }, "sudo apt-get install nvidia-driver", /restart the machine/],
  ["CUDA_NO_DRIVER", { distribution: "fedora" }, "sudo dnf install akmod-nvidia", /Install/],
  ["CUDA_NO_DRIVER", { distribution: "slackware" }, null, /Install/],
  ["CUDA_NO_DRIVER", { platform: "win32" }, null, /nvidia\.com/],
  ["CUDA_NO_DRIVER", { kind: "wsl2" }, "wsl.exe --shutdown", /none inside WSL/],
  ["CUDA_NO_DRIVER", { kind: "jetson" }, "sudo apt-get install nvidia-l4t-cuda", /JetPack/],
  ["CUDA_NO_DEVICE", {}, "nvidia-smi -L", /sees no GPU/],
  ["CUDA_NO_DEVICE", { env: { CUDA_VISIBLE_DEVICES: "" } }, "unset CUDA_VISIBLE_DEVICES", /hides/],
  [
    "CUDA_NO_DEVICE",
    { platform: "win32", env: { CUDA_VISIBLE_DEVICES: "7" } },
    "Remove-Item Env:CUDA_VISIBLE_DEVICES",
    /hides/,
  ],
  ["CUDA_DRIVER_MISMATCH", {}, "sudo reboot", /restart/],
  ["CUDA_DRIVER_MISMATCH", { env: compat }, "export LD_LIBRARY_PATH=/opt/lib", /cuda-compat/],
  ["CUDA_DRIVER_MISMATCH", { kind: "container" }, "apt-get remove --yes 'cuda-compat-*' && ldconfig", /image/],
  [
    "CUDA_FORWARD_COMPAT",
    { env: { LD_LIBRARY_PATH: "/usr/local/cuda/compat/" } },
    "unset LD_LIBRARY_PATH",
    /LD_LIBRARY_PATH/,
  ],
  ["CUDA_FORWARD_COMPAT", {}, "apt-get remove --yes 'cuda-compat-*' && ldconfig", /data-center/],
  [
    "CUDA_STUB_DRIVER",
    { env: { LD_LIBRARY_PATH: "/a:/usr/local/cuda/lib64/stubs:/b" } },
    "export LD_LIBRARY_PATH=/a:/b",
    /stubs/,
  ],
  ["CUDA_DEVICE_BUSY", {}, "sudo nvidia-smi -c 0", /holds the GPU/],
  ["CUDA_NOT_READY", {}, "sudo systemctl start nvidia-fabricmanager", /fabric manager/],
  ["CUDA_DRIVER_TOO_OLD", { driver: "11.4" }, "halfbyte libs build 11.8", /build one/],
  ["CUDA_DRIVER_TOO_OLD", { driver: "10.2", kind: "wsl2" }, "wsl.exe --shutdown", /in Windows/],
  ["CUDA_DRIVER_TOO_OLD", { driver: "10.2", kind: "container", distribution: "ubuntu" }, null, /on the host/],
  [
    "CUDA_DRIVER_TOO_OLD",
    { driver: "10.2", kind: "jetson" },
    "sudo apt-get update && sudo apt-get install nvidia-jetpack",
    /JetPack/,
  ],
  ["LIBC_MUSL", {}, "docker run --rm --gpus all node:22-bookworm-slim npx -y halfbyte doctor", /glibc/],
  ["GLIBC_TOO_OLD", {}, "halfbyte libs build 12.4", /newer distribution/],
  ["LIBRARY_NOT_FOUND", { platform: "win32", driver: "13.1" }, "halfbyte libs build 13.0", /no package/],
  ["CUDA_JIT_UNAVAILABLE", {}, null, /whole driver/],
])("%s, %o", (code, where, command, remedy) => {
  it(`says ${command}`, () => {
    const fix = fixFor(code, where);
    expect(fix.command).toBe(command);
    expect(fix.remedy).toMatch(remedy);
  });
});

describe("a container without GPUs", () => {
  it("is started with them", () => {
    const fix = fixFor("CUDA_NO_DRIVER", { kind: "container" });
    expect(fix.remedy).toContain("--gpus all");
    expect(fix.command).toMatch(/^docker run --rm --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility /);
  });

  it.each([
    [{ NVIDIA_VISIBLE_DEVICES: "void" }, /keeps the GPUs out/],
    [{ NVIDIA_DRIVER_CAPABILITIES: "utility" }, /needs compute/],
    [{ NVIDIA_DRIVER_CAPABILITIES: "all", NVIDIA_VISIBLE_DEVICES: "all" }, /^Start the container/],
  ])("is told which variable is wrong: %o", (env, said) => {
    expect(fixFor("CUDA_NO_DRIVER", { kind: "container", env }).remedy).toMatch(said);
  });
});
