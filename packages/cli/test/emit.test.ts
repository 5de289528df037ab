/** The templates as their readers take them: YAML that parses, a Dockerfile whose instructions hold together, no secrets. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { compose } from "../src/emit/compose.js";
import { cudaImageOf, cudaImages, imageName } from "../src/emit/cuda-images.js";
import { dockerfile } from "../src/emit/dockerfile.js";
import { githubActions } from "../src/emit/github-actions.js";
import { nodeMajors, shippedCuda } from "../src/emit/template.js";
import { halfbyte, temporaryFolder } from "./command-line.js";

const every = cudaImages.flatMap((image) => [...nodeMajors, "22.12.0"].map((node) => ({ image, node })));
const usual = { image: cudaImageOf("12.4"), node: "22" };

/** Instructions with their continuation lines; comments and blank lines are none. */
function instructions(text: string): { readonly name: string; readonly rest: string }[] {
  const joined = text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .replace(/\\\n/g, " ");
  return joined
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => ({ name: line.split(" ", 1)[0]!, rest: line.slice(line.indexOf(" ") + 1).trim() }));
}

describe("dockerfile", () => {
  const known = ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "CMD"];

  it.each(every)("of CUDA $image.cuda and Node $node holds together", ({ image, node }) => {
    const lines = instructions(dockerfile.text({ image, node }));
    expect(lines.filter(({ name }) => !known.includes(name))).toEqual([]);
    const stages = lines.flatMap(({ name, rest }) => (name === "FROM" ? [rest.split(/ AS /i)] : []));
    expect(stages.map(([from]) => from)).toEqual([
      expect.stringMatching(/^node:\$\{NODE_VERSION\}-/),
      "node",
      imageName(image),
    ]);
    const copied = lines.flatMap(({ rest }) => /--from=(\w+)/.exec(rest)?.[1] ?? []);
    const named = stages.flatMap(([, name]) => name ?? []);
    expect(copied.filter((stage) => !named.includes(stage))).toEqual([]);
    expect(lines.find(({ name }) => name === "ARG")?.rest).toBe(`NODE_VERSION=${node}`);
    expect(lines.at(-1)).toEqual({ name: "CMD", rest: '["npm", "start"]' });
  });

  it("names tags in full, runs as a user and gives the container a driver", () => {
    const text = dockerfile.text(usual);
    expect(text).toContain("FROM nvidia/cuda:12.4.1-base-ubuntu22.04\n");
    expect(text).not.toMatch(/:latest|apt-get|curl|sudo/);
    const lines = instructions(text);
    expect(lines.findIndex(({ name }) => name === "USER")).toBe(lines.length - 2);
    expect(lines.find(({ name }) => name === "ENV")?.rest).toMatch(
      /NVIDIA_VISIBLE_DEVICES=all +NVIDIA_DRIVER_CAPABILITIES=compute,utility/,
    );
  });

  it("has the override as a comment that says when to use it", () => {
    expect(dockerfile.text(usual)).toMatch(/halfbyte doctor.*\n# ENV HALFBYTE_CUDA_VERSION=124\n/);
  });
});

interface Service {
  readonly environment: Record<string, string>;
  readonly deploy: { readonly resources: { readonly reservations: { readonly devices: readonly object[] } } };
  readonly ports?: readonly string[];
}

describe("compose", () => {
  it.each(every)("of CUDA $image.cuda and Node $node reserves a GPU", ({ image, node }) => {
    const { services } = parse(compose.text({ image, node }), { merge: true }) as { services: Record<string, Service> };
    expect(Object.keys(services)).toEqual(["app", "monitor"]);
    for (const service of Object.values(services)) {
      expect(service.deploy.resources.reservations.devices).toEqual([
        { driver: "nvidia", count: 1, capabilities: ["gpu"] },
      ]);
      expect(service.environment).toEqual({ NVIDIA_DRIVER_CAPABILITIES: "compute,utility" });
      expect(service).toMatchObject({ build: ".", image: `app:cuda${image.cuda.replace(".", "")}-node${node}` });
    }
    expect(services["monitor"]!.ports).toEqual(["127.0.0.1:9400:9400"]);
  });

  it("has an override that parses when its comment is taken away", () => {
    const text = compose.text(usual).replace(/# (HALFBYTE_CUDA_VERSION)/, "$1");
    const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
    expect(services["app"]!.environment).toMatchObject({ HALFBYTE_CUDA_VERSION: "124" });
  });
});

interface Job {
  readonly "runs-on": unknown;
  readonly if?: string;
  readonly "timeout-minutes": number;
  readonly strategy: {
    readonly matrix: {
      readonly node: readonly string[];
      readonly version?: readonly { cuda: string; image: string }[];
    };
  };
  readonly container?: object;
  readonly steps: readonly { readonly uses?: string; readonly run?: string; readonly env?: object }[];
}

interface Workflow {
  readonly on: object;
  readonly permissions: object;
  readonly jobs: Readonly<Record<string, Job>>;
}

describe("github-actions", () => {
  const workflow = (options = usual) => parse(githubActions.text(options)) as Workflow;

  it.each(every)("of CUDA $image.cuda and Node $node has a matrix of both", ({ image, node }) => {
    const { jobs } = workflow({ image, node });
    for (const name of ["images", "gpu"]) {
      const { version } = jobs[name]!.strategy.matrix;
      expect(version!.map(({ cuda }) => cuda)).toEqual(expect.arrayContaining([...shippedCuda, image.cuda]));
      expect(new Set(version!.map(({ cuda }) => cuda)).size).toBe(version!.length);
      expect(jobs[name]!.container).toMatchObject({
        image: expect.stringMatching(/^\$\{\{ matrix\.version\.image \}\}$/),
      });
    }
    for (const job of Object.values(jobs)) {
      expect(job.strategy.matrix.node).toContain(node);
      expect(job.strategy.matrix.node.every((each) => typeof each === "string")).toBe(true);
    }
  });

  it("tests without a GPU, says what it found, and fails only where a GPU was promised", () => {
    const { jobs, permissions, on } = workflow();
    const runs = (name: string) => jobs[name]!.steps.flatMap(({ run }) => run ?? []);
    expect(runs("cpu")).toEqual(["npm ci", "npx halfbyte doctor --json", "npm test"]);
    expect(runs("gpu")).toContain("npx halfbyte doctor --backend cuda");
    expect(jobs["gpu"]!.if).toBe("vars.GPU_RUNNER == 'true'");
    expect(permissions).toEqual({ contents: "read" });
    expect(Object.keys(on)).toEqual(["push", "pull_request"]);
    for (const { steps, "timeout-minutes": minutes } of Object.values(jobs)) {
      expect(minutes).toBeGreaterThan(0);
      expect(steps.every(({ uses, run }) => (uses === undefined) !== (run === undefined))).toBe(true);
      expect(steps.flatMap(({ uses }) => uses ?? []).every((uses) => /^actions\/[\w-]+@v\d+$/.test(uses))).toBe(true);
    }
  });

  it("needs no secret", () => {
    for (const { text } of [dockerfile, compose, githubActions])
      expect(text(usual)).not.toMatch(/secret|token|password|_KEY/i);
  });
});

it("every image has a version, a patch of it and a distribution", () => {
  for (const { cuda, patch, distribution } of cudaImages) {
    expect(patch).toMatch(new RegExp(`^${cuda.replace(".", "\\.")}\\.\\d+$`));
    expect(distribution).toMatch(/^ubuntu2[24]\.04$/);
  }
  expect(shippedCuda.every((cuda) => cudaImageOf(cuda))).toBe(true);
});

describe("halfbyte emit", () => {
  const failure = (stdout: string) => (JSON.parse(stdout) as { error: { code: string; remedy: string } }).error;

  it("prints the text, or writes it into a file", async () => {
    const folder = temporaryFolder();
    const printed = await halfbyte(["emit", "dockerfile", "--cuda", "11.8", "--node", "20"]);
    expect([printed.code, printed.stdout]).toEqual([0, dockerfile.text({ image: cudaImageOf("11.8"), node: "20" })]);
    const file = join(folder, ".github", "workflows", "halfbyte.yml");
    const written = await halfbyte(["emit", "github-actions", "-o", file, "--json"]);
    expect(written.code).toBe(0);
    expect(JSON.parse(written.stdout)).toMatchObject({
      template: "github-actions",
      cuda: "12.4",
      node: "22",
      output: file,
    });
    expect(readFileSync(file, "utf8")).toBe(githubActions.text(usual));
  });

  it("refuses a file that exists with 3, and replaces it with --force", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "compose.yaml"), "precious");
    const refused = await halfbyte(["emit", "compose", "-o", "compose.yaml", "--json"], { env: { INIT_CWD: folder } });
    expect([refused.code, failure(refused.stdout).code]).toEqual([3, "OUTPUT_EXISTS"]);
    expect(readFileSync(join(folder, "compose.yaml"), "utf8")).toBe("precious");
    expect(
      (await halfbyte(["emit", "compose", "-o", "compose.yaml", "--force"], { env: { INIT_CWD: folder } })).code,
    ).toBe(0);
    expect(readFileSync(join(folder, "compose.yaml"), "utf8")).toBe(compose.text(usual));
    expect(readdirSync(folder)).toEqual(["compose.yaml"]);
  });

  it("never replaces a folder", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "app"));
    for (const output of ["app", ".", ""]) {
      const { code, stdout } = await halfbyte(["emit", "compose", "-o", output, "--force", "--json"], {
        env: { INIT_CWD: folder },
      });
      expect([code, failure(stdout).code]).toEqual([2, "INVALID_ARGUMENT"]);
    }
    expect(existsSync(join(folder, "app"))).toBe(true);
  });

  it.each([
    [["emit"]],
    [["emit", "kubernetes"]],
    [["emit", "compose", "--node", "18"]],
    [["emit", "compose", "--node", "22.1"]],
    [["emit", "compose", "--node", "22; rm -rf /"]],
  ])("ends with 2 on %j", async (args) => expect((await halfbyte(args)).code).toBe(2));

  it("names the versions it knows when asked for another", async () => {
    const { code, stdout } = await halfbyte(["emit", "dockerfile", "--cuda", "12.7", "--json"]);
    expect(code).toBe(2);
    expect(failure(stdout).remedy).toMatch(/11\.8, .*12\.4, .*hub\.docker\.com/);
  });
});
