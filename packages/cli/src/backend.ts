/** The backend of a command: what is installed, in order, or exactly the one asked for. */
import {
  type Backend,
  type BackendProvider,
  type ErrorCode,
  halfbyteError,
  openBackend,
  type Reason,
  reference,
} from "@halfbyte/core";

const packages = {
  cuda: "@halfbyte/backend-cuda",
  webgpu: "@halfbyte/backend-webgpu",
  cpu: "@halfbyte/backend-cpu",
} as const;
type Packaged = keyof typeof packages;

interface BackendModule {
  readonly [factory: string]: (() => BackendProvider) | undefined;
}

/** A provider from its package, or why there is none. */
async function importProvider(name: Packaged): Promise<BackendProvider | Reason> {
  try {
    // The specifier is computed so that bundlers leave this optional package alone.
    const module = (await import(/* @vite-ignore */ packages[name])) as BackendModule;
    return module[name]!();
  } catch (cause) {
    return halfbyteError("PACKAGE_NOT_INSTALLED", `${packages[name]} is not installed.`, {
      cause,
      remedy: `npm install ${packages[name]}`,
    });
  }
}

const isProvider = (value: BackendProvider | Reason): value is BackendProvider => "detect" in value;

/** `auto` takes the first installed backend that opens; a name takes that backend or fails with its reason. */
export async function openNamed(name: string, signal?: AbortSignal): Promise<Backend> {
  const options = signal ? { signal } : {};
  if (name !== "auto") return openOnly(name, options);
  const found = await Promise.all((Object.keys(packages) as Packaged[]).map(importProvider));
  return expectOverrides(await openBackend([...found.filter(isProvider), reference()], options));
}

/** Who names a library wants that one: a mistyped name must not end on another backend. */
async function expectOverrides(backend: Backend): Promise<Backend> {
  const wrong = backend.report.skipped.find(isWrongOverride);
  if (!wrong) return backend;
  await backend.dispose();
  throw overrideError(wrong);
}

const overrideCodes: readonly string[] = ["OVERRIDE_INVALID", "OVERRIDE_NOT_FOUND"] satisfies ErrorCode[];

const isWrongOverride = ({ code }: Reason): boolean => overrideCodes.includes(code);

const overrideError = ({ code, message, remedy }: Reason) => halfbyteError(code as ErrorCode, message, { remedy });

async function openOnly(name: string, options: { signal?: AbortSignal }): Promise<Backend> {
  const provider = name === "reference" ? reference() : await importProvider(checkedName(name));
  if (!isProvider(provider)) throw provider;
  const backend = await openBackend([provider], { ...options, order: [name] });
  if (backend.report.chosen === name) return backend;
  await backend.dispose();
  const reason = backend.report.skipped.find((skipped) => skipped.provider === name)!;
  if (isWrongOverride(reason)) throw overrideError(reason);
  throw halfbyteError("BACKEND_UNAVAILABLE", `Backend "${name}" cannot be used: ${reason.message} (${reason.code})`, {
    remedy: reason.remedy,
  });
}

function checkedName(name: string): Packaged {
  if (name in packages) return name as Packaged;
  throw halfbyteError("INVALID_ARGUMENT", `There is no backend "${name}".`, {
    remedy: `Use one of auto, reference, ${Object.keys(packages).join(", ")}.`,
  });
}
