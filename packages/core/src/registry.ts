/**
 * Which backend runs. Providers are asked in order, quickly and without loading a kernel library; the first that is
 * available, opens and passes its self-test is used, and stays. Whatever was skipped is kept with its reason, and said once.
 */
import { type Backend, createBackend } from "./backend.js";
import type { Device } from "./device.js";
import { environment } from "./environment.js";
import { halfbyteError, isHalfbyteError, messageOf, throwIfAborted } from "./errors.js";
import { logOnce } from "./logger.js";
import { reference } from "./reference/provider.js";
import { selfTest } from "./self-test.js";

export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}
export interface Source {
  readonly name: string;
  readonly value: string | null;
  readonly usedFor?: string;
  readonly ignoredBecause?: string;
  readonly ms: number;
  readonly error?: string;
}
export interface Candidate {
  readonly library: string;
  readonly version: string;
  readonly verdict: "exact" | "compatible" | "degraded" | "refused";
  readonly code: string;
  readonly reason: string;
  readonly remedy?: string;
}
export interface Detection {
  readonly provider: string;
  readonly available: boolean;
  /** When not available. */
  readonly reason?: Reason;
  /** Not available and no loss: there is no such hardware, and nobody asked for it but by the order of things. That it is skipped is no news. */
  readonly irrelevant?: boolean;
  /** driver, host, toolkit, container, adapter; `build` identifies the kernels and lets a passed self-test be remembered. */
  readonly versions: { readonly [runtime: string]: string };
  readonly sources: readonly Source[];
  readonly candidates: readonly Candidate[];
  readonly devices: readonly {
    readonly id: string;
    readonly name: string;
    readonly memoryBytes?: number;
    readonly capability?: string;
    readonly software: boolean;
  }[];
}
export interface BackendProvider<Options extends object = object> {
  readonly name: string;
  /** Never throws, loads no kernel library. */
  detect(options?: Options & { depth?: "quick" | "full"; signal?: AbortSignal }): Promise<Detection>;
  open(options?: Options & { device?: string; signal?: AbortSignal }): Promise<Device>;
  /** Several ways to be this backend, best first: the first that is available, opens and passes its self-test is used. Absent: itself. */
  readonly tiers?: readonly BackendProvider[];
}
export interface OpenReport {
  readonly chosen: string;
  readonly skipped: readonly ({
    readonly provider: string;
    readonly stage: "detect" | "open" | "self-test";
    /** As its detection says; never of a provider that was asked for by name. */
    readonly irrelevant?: boolean;
  } & Reason)[];
  readonly selfTest: {
    readonly cases: number;
    readonly ms: number;
    readonly cached: boolean;
    /** Variants that gave wrong results or did not run on this device; others run in their place. */
    readonly demoted?: readonly ({ readonly op: string; readonly kernel: string; readonly variant: string } & Reason)[];
  };
}
export interface OpenOptions {
  readonly order?: readonly string[];
  readonly allowSoftwareGpu?: boolean;
  readonly selfTest?: boolean;
  readonly signal?: AbortSignal;
}

type Skipped = OpenReport["skipped"][number];

const defaultOrder: readonly string[] = ["cuda", "webgpu", "cpu"];
const detectLimitMs = 3_000;
const registryKey = Symbol.for("halfbyte.registry");

function registeredProviders(): Map<string, BackendProvider> {
  const home = globalThis as { [registryKey]?: Map<string, BackendProvider> };
  home[registryKey] ??= new Map();
  return home[registryKey];
}

/** Adds a provider to the process-wide registry; a second one of the same name replaces the first. */
export function registerBackend(provider: BackendProvider): void {
  registeredProviders().set(provider.name, provider);
}

/** Registered providers in the default order: cuda, webgpu, cpu, then others as registered, the reference last. */
export function registeredBackends(): readonly BackendProvider[] {
  const others = defaultOrder.length;
  const rank = ({ name }: BackendProvider) =>
    name === "reference" ? others + 1 : defaultOrder.includes(name) ? defaultOrder.indexOf(name) : others;
  return [...registeredProviders().values()].sort((a, b) => rank(a) - rank(b));
}

/**
 * First provider that is available, opens and passes its self-test; `reference` stands last. Order: `order`, else
 * HALFBYTE_BACKEND, else as given (registered ones: cuda, webgpu, cpu). Throws BACKEND_UNAVAILABLE when none opens.
 */
export async function openBackend(
  providers: readonly BackendProvider[] = registeredBackends(),
  options: OpenOptions = {},
): Promise<Backend> {
  const order = options.order ?? orderFromEnvironment();
  const skipped: Skipped[] = [];
  for (const { name, tier } of candidatesOf(providers, order)) {
    throwIfAborted(options.signal, "Opening a backend");
    const opened = tier ? await tryProvider(tier, options, order?.includes(name) ?? false) : unknownBackend(name);
    if ("stage" in opened) skipped.push(opened);
    else return announce(createBackend(opened.device, { chosen: name, skipped, selfTest: opened.selfTest }));
  }
  throw halfbyteError("BACKEND_UNAVAILABLE", `No backend could be opened:\n${skipped.map(sayReason).join("\n")}`);
}

function orderFromEnvironment(): readonly string[] | undefined {
  const names = (environment("HALFBYTE_BACKEND") ?? "").split(",").map((name) => name.trim());
  const order = names.filter((name) => name !== "");
  return order.length > 0 ? order : undefined;
}

interface NamedTier {
  readonly name: string;
  /** Undefined: nobody has that name. */
  readonly tier: BackendProvider | undefined;
}

/** Names in the order asked for, each with the tiers of its provider; the reference last. */
function candidatesOf(providers: readonly BackendProvider[], order: readonly string[] | undefined): NamedTier[] {
  const all = providers.some(({ name }) => name === "reference") ? providers : [...providers, reference()];
  if (!order) return all.flatMap((provider) => tiersOf(provider.name, provider));
  const names = order.includes("reference") ? order : [...order, "reference"];
  return names.flatMap((name) =>
    tiersOf(
      name,
      all.find((provider) => provider.name === name),
    ),
  );
}

const tiersOf = (name: string, provider: BackendProvider | undefined): NamedTier[] =>
  (provider?.tiers ?? [provider]).map((tier) => ({ name, tier }));

const unknownBackend = (name: string): Skipped =>
  skip(name, "detect", halfbyteError("UNKNOWN_BACKEND", `No provider named "${name}" was given or registered.`));

interface Opened {
  readonly device: Device;
  readonly selfTest: OpenReport["selfTest"];
}

async function tryProvider(provider: BackendProvider, options: OpenOptions, named: boolean): Promise<Opened | Skipped> {
  const detection = await detectWithin(provider, options.signal);
  if (!("versions" in detection)) return detection;
  const refusal = refusalOf(detection, options.allowSoftwareGpu === true || named);
  const irrelevant = detection.irrelevant === true && !named;
  if (refusal) return { provider: provider.name, stage: "detect", ...refusal, ...(irrelevant && { irrelevant }) };
  const device = await openDevice(provider, options.signal);
  if ("stage" in device) return device;
  if (options.selfTest === false) return { device, selfTest: { cases: 0, ms: 0, cached: false } };
  return testDevice(provider, device, detection);
}

/** detect() must not throw or hang; one that does is skipped with DETECT_FAILED. */
async function detectWithin(provider: BackendProvider, signal: AbortSignal | undefined): Promise<Detection | Skipped> {
  const patience = createPatience(signal);
  try {
    return await Promise.race([provider.detect(signal ? { signal } : {}), patience.ended]);
  } catch (thrown) {
    throwIfAborted(signal, "Opening a backend");
    return skip(provider.name, "detect", thrown, "DETECT_FAILED");
  } finally {
    patience.release();
  }
}

/** `ended` rejects when the time limit has passed or the caller gives up. */
function createPatience(signal: AbortSignal | undefined) {
  let end = (_why: string): void => {};
  const ended = new Promise<never>((_, reject) => {
    end = (why) => reject(new Error(why));
  });
  const timer = setTimeout(() => end(`detect() did not answer within ${detectLimitMs} ms`), detectLimitMs);
  const abort = () => end("aborted");
  signal?.addEventListener("abort", abort);
  const release = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  };
  return { ended, release };
}

/** Why a detected provider is not opened; software adapters only on request, they are slower than the CPU. */
function refusalOf(detection: Detection, softwareAllowed: boolean): Reason | undefined {
  if (!detection.available)
    return (
      detection.reason ??
      reasonOf(halfbyteError("NOT_AVAILABLE", `${detection.provider} is not available and gives no reason.`))
    );
  const devices = detection.devices;
  if (softwareAllowed || devices.length === 0 || devices.some(({ software }) => !software)) return undefined;
  return reasonOf(halfbyteError("SOFTWARE_ADAPTER", `${devices[0]!.name} renders in software.`));
}

async function openDevice(provider: BackendProvider, signal: AbortSignal | undefined): Promise<Device | Skipped> {
  try {
    throwIfAborted(signal, "Opening a backend");
    const device = await provider.open(signal ? { signal } : {});
    if (signal?.aborted) await device.close().catch(() => undefined);
    throwIfAborted(signal, "Opening a backend");
    return device;
  } catch (thrown) {
    throwIfAborted(signal, "Opening a backend");
    return skip(provider.name, "open", thrown, "OPEN_FAILED");
  }
}

async function testDevice(provider: BackendProvider, device: Device, detection: Detection): Promise<Opened | Skipped> {
  try {
    return { device, selfTest: await selfTest(device, detection) };
  } catch (thrown) {
    await device.close().catch(() => undefined);
    return skip(provider.name, "self-test", thrown, "SELF_TEST_FAILED");
  }
}

function skip(
  provider: string,
  stage: Skipped["stage"],
  thrown: unknown,
  code: "DETECT_FAILED" | "OPEN_FAILED" | "SELF_TEST_FAILED" | "UNKNOWN_BACKEND" = "UNKNOWN_BACKEND",
): Skipped {
  const error = isHalfbyteError(thrown) ? thrown : halfbyteError(code, messageOf(thrown), { cause: thrown });
  return { provider, stage, ...reasonOf(error) };
}

const reasonOf = ({ code, message, remedy }: Reason): Reason => ({ code, message, remedy });

const sayReason = ({ provider, stage, code, message, remedy }: Skipped): string =>
  `  ${provider} (${stage}, ${code}): ${message} ${remedy}`;

/** A fallback is never silent: one warning names what was chosen and every reason. What is no loss is said to those who ask. */
function announce(backend: Backend): Backend {
  const { chosen, skipped, selfTest } = backend.report;
  for (const { op, kernel, variant, code, message } of selfTest.demoted ?? [])
    logOnce("warn", `backend "${chosen}" does ${op} without ${kernel} (${variant}): ${code}: ${message}`);
  if (skipped.length === 0) return backend;
  const news = skipped.filter(({ irrelevant }) => !irrelevant);
  const [level, told] = news.length > 0 ? (["warn", news] as const) : (["info", skipped] as const);
  logOnce(level, `using backend "${chosen}" because\n${told.map(sayReason).join("\n")}`);
  return backend;
}
