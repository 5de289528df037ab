/** Shaders on the host compute what the adapter of this machine computes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dispatch, noAdapter, openDevice, shaderText } from "../exact-adapter.js";
import { patterns } from "../exact-patterns.js";
import { HostShader } from "./host-shader.js";
import { HostBuffer } from "./runtime.js";

/** Each stores to `result[i]`; `i` is the invocation, `first` and `second` are any bits. */
const bodies: Readonly<Record<string, string>> = {
  "unsigned integers":
    "let a = first[i]; let b = second[i]; result[i] = (((a + b) * (a - b)) ^ (a / max(b, 1u))) | ((a % max(b, 1u)) & ~b);",
  "signed integers":
    "let a = i32(first[i]); let b = i32(second[i] >> 3u) | 1; result[i] = u32((((a + b) * (a - b)) ^ (a / b)) | ((a % b) & -b));",
  shifts:
    "let n = second[i] & 31u; result[i] = (first[i] << n) ^ (first[i] >> n) ^ u32(i32(first[i]) >> n) ^ (1u << 3u);",
  comparisons:
    "let a = first[i]; let b = i32(second[i]); result[i] = u32(a > 5u && b < -7) + 2u * u32(a <= second[i] || !(b == 3)) + 4u * u32(i32(a) >= b);",
  bits: "let a = first[i]; result[i] = countLeadingZeros(a) + 64u * countOneBits(a) + 4096u * countTrailingZeros(a) + reverseBits(a);",
  fields:
    "let a = first[i]; let n = second[i] & 15u; result[i] = extractBits(a, n, 9u) ^ u32(extractBits(i32(a), n, 9u)) ^ insertBits(a, second[i], n, 5u);",
  "leading bits":
    "result[i] = firstLeadingBit(first[i]) ^ u32(firstLeadingBit(i32(first[i]))) ^ firstTrailingBit(first[i]);",
  "packed bytes":
    "let a = first[i]; let b = second[i]; result[i] = (u32(dot4I8Packed(a, b)) + dot4U8Packed(a, b)) ^ pack4xI8(unpack4xI8(a)) ^ unpack4xU8(b).z;",
  vectors:
    "let a = vec4<u32>(first[i], second[i], 3u, 4u); let b = a.wzyx * 5u + a; var c = min(a, b) ^ vec4u(i); c.y += 7u; result[i] = c.x ^ c.y ^ (b.zw + vec2(1u)).y ^ a[i & 3u];",
  choices:
    "let a = first[i]; result[i] = select(a, second[i], a > 77u) + clamp(a, 5u, 70u); switch a & 3u { case 0u: { result[i] = 1u; } case 1u, 2u: { result[i] ^= 2u; } default: { } }",
  loops:
    "var sum = 0u; for (var k = 0u; k < 9u; k++) { if (k == 3u) { continue; } var n = first[i] >> k; while (n > 7u) { n >>= 1u; sum += n; if (sum > 5000u) { break; } } } result[i] = sum;",
  "arrays and copies":
    "var a = array<u32, 3>(first[i], second[i], 5u); var b = a; b[1] = 9u; let p = &b; (*p)[first[i] % 3u] += 1u; result[i] = a[1] ^ b[1] ^ b[0] ^ b[2];",
  "names that hide others":
    "let a = first[i]; var r = a; { let a = r + 1u; r = a * 2u; } for (var r = 0u; r < 2u; r++) { } result[i] = r + a;",
  "bits of floats": "result[i] = bitcast<u32>(bitcast<f32>((first[i] & 0x3fffffu) | 0x3f800000u) * 2.0);",
  "numbers from floats":
    "let x = f32(first[i] & 0xffffu) * 0.25; result[i] = u32(x) + u32(i32(floor(-x))) + u32(round(x));",
};

let device: GPUDevice | undefined;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device?.destroy());

describe("on the host and on the adapter the same", () => {
  it.for(Object.entries(bodies))("%s", async ([, body], { skip }) => {
    if (!device) return skip(noAdapter);
    const [first, second] = [patterns(512, 31), patterns(512, 32)];
    const onAdapter = await dispatch(device, { modules: "", body, first, second });
    expect([...onHost(shaderText("", body, first.length), first, second)]).toEqual([...onAdapter]);
  });
});

function onHost(text: string, ...inputs: Uint32Array[]): Uint32Array {
  const result = new Uint32Array(inputs[0]!.length);
  const buffers = [...inputs, result].map(({ buffer }) => new HostBuffer(buffer as ArrayBuffer));
  new HostShader(text, { buffers }).dispatch("main", [Math.ceil(result.length / 64), 1, 1]);
  return result;
}

describe("a workgroup", () => {
  const reduction = `
    struct Params { scale: u32, shift: vec2<u32>, tail: f32 }
    override lanes: u32 = 4u;
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;
    var<workgroup> shared_values: array<u32, lanes>;
    fn total(lane: u32) -> u32 {
      for (var step = lanes / 2u; step > 0u; step >>= 1u) {
        workgroupBarrier();
        if (lane < step) { shared_values[lane] += shared_values[lane + step]; }
      }
      workgroupBarrier();
      return shared_values[0];
    }
    @compute @workgroup_size(lanes)
    fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
      shared_values[lane] = lane * params.scale + group.x * params.shift.y;
      let sum = total(lane);
      if (lane == lanes - 1u) { atomicAdd(&sums[group.x], sum + u32(params.tail)); }
    }`;

  it("waits at barriers, and forgets what the one before it left", () => {
    const params = new Uint32Array([3, 0, 0, 100, 0, 0]);
    new Float32Array(params.buffer)[4] = 7.5;
    const sums = new Uint32Array(3);
    const buffers = [params, sums].map(({ buffer }) => new HostBuffer(buffer));
    new HostShader(reduction, { constants: { lanes: 8 }, buffers }).dispatch("main", [3, 1, 1]);
    expect([...sums]).toEqual([91, 891, 1691]);
  });

  it("is refused when some of it do not reach a barrier, or writes beyond a buffer", () => {
    const text = (body: string) => `
      @group(0) @binding(0) var<storage, read_write> values: array<u32>;
      var<workgroup> seen: u32;
      @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { ${body} }`;
    const run = (body: string) =>
      new HostShader(text(body), { buffers: { 0: new HostBuffer(new ArrayBuffer(8)) } }).dispatch("main", [1, 1, 1]);
    expect(() => run("if (lane > 1u) { workgroupBarrier(); }")).toThrow("passed a barrier and others did not");
    expect(() => run("values[lane] = 1u;")).toThrow("element 2 of 2");
    expect(() => run("seen = values[lane];")).not.toThrow();
    expect(() => run("seen = quantum(lane);")).toThrow("quantum() is neither of this text nor known");
  });
});
