/**
 * `codes-digest.ts <tier>`: quantizes the same random blocks on one tier and prints, as one line of JSON, the variant that ran, how many
 * blocks there were, and a hash of codes and absmax for each kind of data. Two tiers that print the same lines give the same bits.
 */
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import {
  type Backend,
  createDynamicMap,
  createLinearMap,
  createRandom,
  type Float,
  fromFloat32,
  getFormat,
  openBackend,
  type Profile,
  reference,
  registerFormat,
  type Tensor,
  thresholdsOf,
} from "@halfbyte/core";
import { cpu } from "../src/index.js";

const blocksPerKind = 1_200;

export interface Digest {
  /** By operation. */
  readonly variants: Readonly<Record<string, string>>;
  readonly blocks: number;
  readonly hashes: Readonly<Record<string, string>>;
}

interface Kind {
  readonly name: string;
  readonly blockSize: number;
  readonly dtype: Float;
  readonly profile: Profile;
  /** Of 16 or 256 entries. */
  readonly code: Float32Array;
  quantize(backend: Backend, x: Tensor<Float>): { codes: Tensor; absmax: Tensor };
}

const random = createRandom(20261122);

/** A format that no kernel was written for. */
const ownFormat = "random-16";
registerFormat({
  ...getFormat("af4"),
  name: ownFormat,
  code: Float32Array.from([-1, ...Array.from({ length: 14 }, () => random.uniform() * 2 - 1).sort((a, b) => a - b), 1]),
});

const dtypes: readonly Float[] = ["float32", "float16", "bfloat16"];
const profiles: readonly Profile[] = ["reference", "cuda"];

const kinds4bit = ["nf4", "fp4", "af4", ownFormat].flatMap((format) =>
  dtypes.flatMap((dtype) =>
    (format === "nf4" || format === "fp4" ? profiles : profiles.slice(0, 1)).map(
      (profile): Kind => ({
        name: `${format} ${dtype} ${profile}`,
        blockSize: 64,
        dtype,
        profile,
        code: getFormat(format).code,
        quantize: (backend, x) => backend.kernels.quantize4bit({ x, format, blockSize: 64, profile }),
      }),
    ),
  ),
);

const maps = { signed: createDynamicMap(), unsigned: createDynamicMap({ signed: false }), linear: createLinearMap() };

const kinds8bit = Object.entries(maps).flatMap(([map, code]) =>
  dtypes.flatMap((dtype) =>
    profiles.map(
      (profile): Kind => ({
        name: `${map} ${dtype} ${profile}`,
        blockSize: 256,
        dtype,
        profile,
        code,
        quantize(backend, x) {
          using table = backend.tensor("float32", [256], code);
          return backend.kernels.quantizeBlockwise({ x, code: table, blockSize: 256, profile });
        },
      }),
    ),
  ),
);

/** Blocks of random values, every fourth one of values within 3 ulp of thresholds times its absmax; the last block is partial. */
function blocksFor({ code, blockSize }: Kind): Float32Array {
  const bounds = [...thresholdsOf(code).bounds];
  const values = new Float32Array(blocksPerKind * blockSize - 3);
  for (let first = 0, block = 0; first < values.length; first += blockSize, block++) {
    const scale = (block % 8 < 4 ? 1 : 1 + random.uniform()) * 2 ** Math.floor(random.uniform() * 24 - 12);
    const edge = () => bounds[Math.floor(random.uniform() * bounds.length)]! * (1 + ulps() * 2 ** -24) * scale;
    const draw = block % 4 === 0 ? edge : () => Math.max(-1, Math.min(1, random.normal() / 3)) * scale;
    for (let i = first; i < Math.min(first + blockSize, values.length); i++) values[i] = draw();
    values[first] = scale;
  }
  return values;
}

/** Half ulps just below a power of two, ulps just above one: three of the larger on each side. */
const ulps = (): number => Math.floor(random.uniform() * 13) - 6;

export async function digestOf(tier: string): Promise<Digest> {
  const provider = tier === "reference" ? reference() : cpu({ tier: tier.startsWith("wasm") ? "wasm" : "native" });
  await using backend = await openBackend([provider], { order: [provider.name] });
  const hashes: Record<string, string> = {};
  const kinds = [...kinds4bit, ...kinds8bit];
  for (const kind of kinds) hashes[kind.name] = await hashOf(backend, kind);
  return { variants: variantsOf(backend), blocks: kinds.length * blocksPerKind, hashes };
}

async function hashOf(backend: Backend, kind: Kind): Promise<string> {
  const values = blocksFor(kind);
  using x = backend.tensor(kind.dtype, [values.length], fromFloat32(kind.dtype, values));
  const { codes, absmax } = kind.quantize(backend, x);
  const hash = createHash("sha256");
  for (const tensor of [codes, absmax]) {
    const { buffer, byteOffset, byteLength } = await tensor.read();
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    tensor.dispose();
  }
  return hash.digest("hex");
}

function variantsOf(backend: Backend): Record<string, string> {
  using x = backend.zeros("float32", [64]);
  using code = backend.zeros("float32", [256]);
  const explained = {
    quantize4bit: backend.explain("quantize4bit", { x, format: "nf4", blockSize: 64 }),
    quantizeBlockwise: backend.explain("quantizeBlockwise", { x, code, blockSize: 64 }),
  };
  return Object.fromEntries(
    Object.entries(explained).map(([op, found]) => [op, "variant" in found ? found.variant : found.message]),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.log(JSON.stringify(await digestOf(process.argv[2]!)));
