// What the kernels that quantize are told, and the input as they see it. Needs float32.wgsl and float16.wgsl.

struct Params {
  // Elements of this slice.
  size: u32,
  block_size: u32,
  // Lanes that share a block, as a power of two.
  group_shift: u32,
  // Where the first value that is not finite is told.
  fault_index: u32,
  // Of a 4-bit table: the ordered keys of its 15 thresholds, and the codes by rank, four bits each.
  bounds: array<vec4u, 4>,
  order: vec2u,
  // What NaN is taken for: a rank, or a code of 8 bits.
  rank_of_nan: u32,
  // What an element of x is: one of the below. No constant of the pipeline: one kernel for all is compiled sooner than three.
  x_type: u32,
}

const FLOAT32 = 0u;
const BFLOAT16 = 2u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4u>;

fn widened(half: u32) -> u32 {
  if (params.x_type == BFLOAT16) { return from_bfloat16(half); }
  return from_float16(half);
}

// One element as float32.
fn element(index: u32) -> u32 {
  if (params.x_type == FLOAT32) { return x[index >> 2u][index & 3u]; }
  return widened((x[index >> 3u][(index >> 1u) & 3u] >> ((index & 1u) << 4u)) & 0xffffu);
}

// Eight elements, `first` a multiple of 8; zeros behind the end.
fn eight_elements(first: u32) -> array<u32, 8> {
  var values: array<u32, 8>;
  if (params.x_type == FLOAT32) {
    let low = x[first >> 2u];
    let high = x[(first >> 2u) + 1u];
    values = array<u32, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
  } else {
    let words = x[first >> 3u];
    for (var i = 0u; i < 4u; i++) {
      values[2u * i] = widened(words[i] & 0xffffu);
      values[2u * i + 1u] = widened(words[i] >> 16u);
    }
  }
  if (first + 8u > params.size) {
    for (var i = 0u; i < 8u; i++) { values[i] = select(0u, values[i], first + i < params.size); }
  }
  return values;
}
