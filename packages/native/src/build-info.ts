/** What a library says about itself: the JSON of hb_build_info. */

export interface BuildInfo {
  /** cpu | cuda */
  readonly backend: string;
  readonly version: string;
  readonly compiler: string;
  /** Instruction sets compiled in. */
  readonly isas: readonly string[];
  /** The one chosen on this machine. */
  readonly isa: string;
  /** The instruction set of each operation that has another one than `isa` may have; by C name without hb_. */
  readonly kernels: Readonly<Record<string, string>>;
  /** The operations it has kernels for, by C name without hb_. Absent: all of them. */
  readonly operations?: readonly string[];
  /** Compiled for the CPU, to be tested without a GPU. */
  readonly emulated?: boolean;
}

/** Undefined for text that is no build info. */
export function parseBuildInfo(text: string): BuildInfo | undefined {
  const info = parsed(text);
  if (!isRecord(info) || typeof info["backend"] !== "string") return undefined;
  return {
    backend: info["backend"],
    version: textOf(info["version"]),
    compiler: textOf(info["compiler"]),
    isas: Array.isArray(info["isas"]) ? info["isas"].map(textOf) : [],
    isa: textOf(info["isa"]),
    kernels: isRecord(info["kernels"])
      ? Object.fromEntries(Object.entries(info["kernels"]).map(([name, isa]) => [name, textOf(isa)]))
      : {},
    ...optional(info),
  };
}

function optional(info: Readonly<Record<string, unknown>>): Partial<BuildInfo> {
  const { operations, emulated } = info;
  return {
    ...(Array.isArray(operations) ? { operations: operations.map(textOf) } : {}),
    ...(emulated === true ? { emulated } : {}),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: unknown): string => (typeof value === "string" ? value : "unknown");
