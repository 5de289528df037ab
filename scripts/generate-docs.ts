/**
 * Writes the pages that must agree with the code: docs/errors.md from the error catalogue, docs/support-matrix.md from the
 * operation table and the formats, docs/choosing-a-binary.md from the selection of a CUDA library, docs/monitor.md from
 * its changes and metrics. `--check` writes nothing and fails when a page is out of date.
 */
import { bitsPerWeight, errorCatalogue, formatNames, getFormat, opNames, type Profile } from "@halfbyte/core";
import { choosingPage } from "./choosing-a-binary.js";
import { writeGenerated } from "./generated-files.js";
import { notice, table } from "./markdown.js";
import { monitorPage } from "./monitor-page.js";

function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(([code, { name, meaning, remedy }]) => [
    `\`${code}\``,
    name,
    meaning,
    remedy,
  ]);
  return `${notice}
# Errors

Every error is an \`Error\` with a stable \`code\`, a \`remedy\`, and \`details\` (tensor, shape, index, offset, found, expected).
Recognize it by \`code\` (or \`isHalfbyteError(error)\`), never by \`instanceof\`: the ESM and CJS builds may meet in one process.

## Exit codes of the command line

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | failed: any code below that no other line names; \`compare\` found tensors that are missing or incomparable; \`selftest\` failed a case; \`doctor\`: CUDA is asked for and unusable; \`libs verify\`: a library is not what its manifest says |
| 2 | usage: unknown command or option, \`INVALID_ARGUMENT\`, \`UNKNOWN_FORMAT\`, \`UNSUPPORTED_BLOCK_SIZE\` |
| 3 | refused: \`OUTPUT_EXISTS\`, \`OVERRIDE_INVALID\`, \`OVERRIDE_NOT_FOUND\` |
| 130 | interrupted (SIGINT, SIGTERM): \`ABORTED\`; nothing was written. \`monitor\` ends so, too |

With \`--json\` a failure is \`{ "error": { "code", "message", "remedy", "details" } }\` on stdout.

## Codes

${table(["code", "name", "meaning", "what to do"], rows)}
`;
}

/** What is implemented, and how far it was seen; a backend that does not exist yet has no column. */
const backends = { reference: "yes", cpu: "yes", cuda: "emulated", webgpu: "software adapters" };
const profiles: readonly Profile[] = ["reference", "cpu", "cuda"];

function supportPage(): string {
  const operations = opNames.map((op) => [`\`${op}\``, ...Object.values(backends)]);
  const formats = formatNames().map((name) => {
    const format = getFormat(name);
    const block = format.defaultBlockSize;
    const nested = format.scales === "block" ? bitsPerWeight(format, block, true).toFixed(3) : "–";
    return [
      `\`${name}\``,
      format.scales === "row" ? "one scale per row" : `${format.blockSizes.join(", ")} (default ${block})`,
      bitsPerWeight(format, block, false).toFixed(3),
      nested,
      format.source,
    ];
  });
  return `${notice}
# Support matrix

Codes and scales are identical, to the bit, on every backend for the same profile; matrix products agree within the bounds
of \`packages/conformance/src/tolerance.ts\`.

## Operations

${table(["operation", ...Object.keys(backends)], operations)}

The reference backend is plain JavaScript: exact, complete, and slow. The cpu backend is a C++ library (AVX-512, AVX2, NEON, scalar), for now built from a
clone with \`pnpm build:native\`; nested scales and transposed 4-bit products are composed from its other operations, and it refuses profile \`cpu\`.
The cuda backend has a kernel for every operation; the same sources pass the specification as a library for an emulated device, on tensor cores and without.
**None has run on a GPU yet**, and nothing is known of their speed. Transposed 4-bit products are composed; profile \`cpu\` is refused.
The webgpu backend has WGSL kernels for every operation but nested statistics, which core makes on the host. They pass the specification on software adapters, lavapipe in Node and SwiftShader in
Chromium; **no GPU was at hand**. Each variant is tested on the adapter before it is used. Profile \`cpu\` is refused. Its gpu.js tier (WebGL2) has decoding and products alone.

## Formats

${table(["format", "block sizes", "bits/weight", "nested", "source"], formats)}

## Profiles

| profile | whose bytes | evidence |
| --- | --- | --- |
| \`${profiles[0]}\` (default) | IEEE f32 rules of upstream's plain PyTorch path, exact nearest code for 8 bits | golden vectors of bitsandbytes 0.50.2.dev0 |
| \`${profiles[1]}\` | bitsandbytes 0.50 on a CPU, its 65 536-bin table for 8-bit codes included; reference backend only | golden vectors, four checkpoints byte for byte |
| \`${profiles[2]}\` | the rules of the CUDA source with a correctly rounded reciprocal | from source, **not verified** on a GPU; upstream's approximate reciprocal changes about 2 in 10 million f32 codes |
`;
}

writeGenerated({
  "docs/errors.md": errorsPage(),
  "docs/support-matrix.md": supportPage(),
  "docs/choosing-a-binary.md": choosingPage(),
  "docs/monitor.md": await monitorPage(),
});
