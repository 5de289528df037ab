export function carryWebgpu(options?: { output?: string }): Promise<string>;
