/** A GitHub Actions workflow: tests without a GPU, the libraries in every CUDA image, and real GPUs where there are runners. */
import { cudaImageOf, imageName } from "./cuda-images.js";
import { nodeMajors, shippedCuda, type Template, type TemplateOptions } from "./template.js";

/** The versions that are shipped, and the one asked for. */
function versions({ image }: TemplateOptions): string {
  const all = [...new Set([...shippedCuda, image.cuda])].map(cudaImageOf);
  return all.map((each) => `          - { cuda: "${each.cuda}", image: "${imageName(each)}" }`).join("\n");
}

/** The maintained majors, and the version asked for in the place of its own. As text: YAML would make 22.10 a number. */
function nodes({ node }: TemplateOptions): string {
  const all = nodeMajors.map((major) => (node.split(".", 1)[0] === major ? node : major));
  return `[${all.map((version) => `"${version}"`).join(", ")}]`;
}

export const githubActions: Template = {
  file: ".github/workflows/halfbyte.yml",
  description: "tests on the CPU, in every CUDA image, and on your GPU runners, times Node versions",
  text: (options) => `# Needs package-lock.json, a test script, and halfbyte among the packages.
# The job gpu runs when the repository variable GPU_RUNNER is true and a self-hosted runner has the label gpu.
name: halfbyte

on:
  push:
    branches: [main]
  pull_request:

permissions:
  contents: read

concurrency:
  group: halfbyte-\${{ github.ref }}
  cancel-in-progress: true

jobs:
  cpu:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    strategy:
      fail-fast: false
      matrix:
        node: ${nodes(options)}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: \${{ matrix.node }}
          cache: npm
      - run: npm ci
      # Exit code 0 and the status cpu-only where there is no NVIDIA hardware.
      - run: npx halfbyte doctor --json
      - run: npm test

  # No GPU and no driver here: shows that the packages install in each image, and that the libraries are whole.
  images:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    strategy:
      fail-fast: false
      matrix:
        node: ${nodes(options)}
        version:
${versions(options)}
    container:
      image: \${{ matrix.version.image }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: \${{ matrix.node }}
      - run: npm ci
      - run: npx halfbyte libs verify
      - run: npm test
        env:
          HALFBYTE_BACKEND: cpu

  gpu:
    if: vars.GPU_RUNNER == 'true'
    runs-on: [self-hosted, linux, x64, gpu]
    timeout-minutes: 30
    strategy:
      fail-fast: false
      matrix:
        node: ${nodes(options)}
        version:
${versions(options)}
    container:
      image: \${{ matrix.version.image }}
      options: --gpus all
      env:
        NVIDIA_DRIVER_CAPABILITIES: compute,utility
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: \${{ matrix.node }}
      - run: npm ci
      # With the backend named, a GPU that cannot be used fails the job.
      - run: npx halfbyte doctor --backend cuda
      - run: npm test
        env:
          HALFBYTE_BACKEND: cuda
`,
};
