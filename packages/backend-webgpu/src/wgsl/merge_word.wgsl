// Writes some bytes of a word and leaves the others: queues of WebGPU write whole words only.

struct Params {
  word: u32,
  mask: u32,
  value: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> target_words: array<u32>;

@compute @workgroup_size(1)
fn main() {
  target_words[params.word] = (target_words[params.word] & ~params.mask) | params.value;
}
