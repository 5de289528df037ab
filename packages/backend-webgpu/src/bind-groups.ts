/** Bind groups, made once for the same buffers: steps of a model bind the same ones again and again. */

export interface Binding {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

const groupLimit = 1024;

export class BindGroups {
  readonly #gpu: GPUDevice;
  readonly #params: GPUBuffer;
  readonly #numbers = new WeakMap<object, number>();
  readonly #groups = new Map<string, GPUBindGroup>();
  #next = 0;

  constructor(gpu: GPUDevice, params: GPUBuffer) {
    this.#gpu = gpu;
    this.#params = params;
  }

  get(layout: GPUBindGroupLayout, bindings: readonly Binding[]): GPUBindGroup {
    const parts = bindings.map(({ buffer, offset, size }) => `${this.#number(buffer)} ${offset} ${size}`);
    const key = [this.#number(layout), ...parts].join();
    const known = this.#groups.get(key) ?? this.#create(layout, bindings);
    // Groups of buffers that are gone would stay for ever.
    if (this.#groups.size >= groupLimit) this.#groups.clear();
    this.#groups.set(key, known);
    return known;
  }

  #create(layout: GPUBindGroupLayout, bindings: readonly Binding[]): GPUBindGroup {
    const params: Binding = { buffer: this.#params, offset: 0, size: 256 };
    const entries = [params, ...bindings].map((resource, binding) => ({ binding, resource }));
    return this.#gpu.createBindGroup({ layout, entries });
  }

  #number(object: object): number {
    const known = this.#numbers.get(object) ?? this.#next++;
    this.#numbers.set(object, known);
    return known;
  }
}
