/** halfbyte doctor on the machine that the tests run on: streams, exit codes, masking. What it says is in doctor-report.test.ts. */
import { homedir } from "node:os";
import { describe, expect, it } from "vitest";
import { maskHome } from "../src/mask-home.js";
import { halfbyte, temporaryFolder } from "./command-line.js";

/** No libraries of this user, no variables of this shell. */
const alone = (env: Record<string, string> = {}) => ({
  XDG_DATA_HOME: temporaryFolder(),
  HALFBYTE_BACKEND: "",
  ...env,
});

const keys = [
  "askedBy",
  "candidates",
  "chosen",
  "code",
  "command",
  "cpu",
  "degraded",
  "dependencies",
  "devices",
  "fallback",
  "frameworks",
  "matrix",
  "message",
  "override",
  "probe",
  "remedy",
  "runtimes",
  "sources",
  "status",
  "system",
  "toolkits",
  "version",
  "versions",
];

describe("doctor", () => {
  it("prints one JSON object on stdout and nothing on stderr", async () => {
    const { code, stdout, stderr } = await halfbyte(["doctor", "--json"], { env: alone() });
    const report = JSON.parse(stdout);
    expect(stderr).toBe("");
    expect(Object.keys(report).sort()).toEqual(keys);
    expect(code).toBe(["unusable"].includes(report.status) ? 1 : 0);
    expect(report.remedy).not.toBe("");
  });

  it("tells the whole story on stderr with --trace, and keeps stdout clean", async () => {
    const { stdout, stderr } = await halfbyte(["doctor", "--json", "--trace"], { env: alone() });
    expect(() => JSON.parse(stdout)).not.toThrow();
    expect(stderr).toContain("what was found");
    expect(stderr).toContain("libcuda");
    const logged = await halfbyte(["doctor"], { env: alone({ HALFBYTE_LOG_LEVEL: "debug" }) });
    expect(logged.stderr).toContain("what was found");
  });

  it.each([["abc"], [""], ["12.4"]])('ends with 3 for the override "%s"', async (value) => {
    const { code, stdout } = await halfbyte(["doctor"], { env: alone({ HALFBYTE_CUDA_VERSION: value }) });
    expect(code).toBe(3);
    expect(stdout).toContain("override-invalid (OVERRIDE_INVALID)");
    expect(stdout).toContain("HALFBYTE_CUDA_VERSION");
  });

  it("ends with 3 for an override that names what is not there", async () => {
    const { code, stdout } = await halfbyte(["doctor", "--json"], { env: alone({ BNB_CUDA_VERSION: "999" }) });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ status: "override-invalid", code: "OVERRIDE_NOT_FOUND" });
  });

  it("ends with 1 when CUDA is asked for and cannot be had", async () => {
    const { code, stdout } = await halfbyte(["doctor", "--backend", "cuda", "--json"], { env: alone() });
    const { status, askedBy } = JSON.parse(stdout) as { status: string; askedBy: string };
    expect(askedBy).toBe("--backend cuda");
    expect(code).toBe(status === "unusable" ? 1 : 0);
    expect(status).not.toBe("cpu-only");
  });

  it.each([[["--backend", "gpu"]], [["--nonsense"]], [["somewhere"]], [["--backend"]]])(
    "ends with 2 for nonsense: %j",
    async (args) => {
      const { code, stdout, stderr } = await halfbyte(["doctor", ...args]);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("error:");
    },
  );

  it("says ~ for the home folder", async () => {
    const home = temporaryFolder();
    const { stdout } = await halfbyte(["doctor", "--json"], {
      env: {
        HOME: home,
        XDG_DATA_HOME: "",
        LD_LIBRARY_PATH: `${home}/lib`,
        HALFBYTE_LIBRARY_PATH: `${home}/libraries`,
      },
    });
    expect(stdout).not.toContain(home);
  });
});

describe("masking", () => {
  const mask = (text: string, home = "/home/ada") => maskHome({ deep: [{ text }] }, home).deep[0]!.text;

  it.each([
    ["/home/ada", "~"],
    ["/home/ada/lib:/home/ada/bin", "~/lib:~/bin"],
    ["see /home/ada/x.so.", "see ~/x.so."],
    ["look into /home/ada.", "look into ~."],
    ["/home/ada-old/lib", "/home/ada-old/lib"],
    ["/home/adam/lib", "/home/adam/lib"],
    ["/home/ada.old/lib", "/home/ada.old/lib"],
  ])("makes %s %s", (text, masked) => expect(mask(text)).toBe(masked));

  it("knows Windows", () => expect(mask("C:\\Users\\Ada\\lib", "C:\\Users\\Ada")).toBe("~\\lib"));
  it("leaves everything where home is the root", () => expect(mask("/lib", "/")).toBe("/lib"));
  it("keeps numbers, nulls and booleans", () => {
    const value = { a: 1, b: null, c: true, d: [homedir()] };
    expect(maskHome(value)).toEqual({ ...value, d: ["~"] });
  });
});
