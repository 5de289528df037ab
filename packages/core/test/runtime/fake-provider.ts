/** Providers with chosen behaviour: what a machine without the right driver, or with a wrong one, looks like. */
import type { Device } from "../../src/device.js";
import { halfbyteError } from "../../src/errors.js";
import type { BackendProvider, Detection } from "../../src/registry.js";
import { fakeDevice } from "./fake-device.js";

export interface Behaviour {
  readonly detection?: Partial<Detection>;
  readonly detect?: BackendProvider["detect"];
  readonly open?: BackendProvider["open"];
}

/** Counts how often it is asked, and what becomes of its devices. */
export interface FakeProvider extends BackendProvider {
  readonly detected: number;
  readonly opened: number;
}

export function detectionOf(provider: string, parts: Partial<Detection> = {}): Detection {
  const device = { id: "0", name: `${provider} device`, software: false };
  return { provider, available: true, versions: {}, sources: [], candidates: [], devices: [device], ...parts };
}

export function fakeProvider(name: string, behaviour: Behaviour = {}): FakeProvider {
  const asked = { detected: 0, opened: 0 };
  const {
    detection,
    detect = async () => detectionOf(name, detection),
    open = async () => namedDevice(name),
  } = behaviour;
  return {
    name,
    get detected() {
      return asked.detected;
    },
    get opened() {
      return asked.opened;
    },
    detect: (options) => {
      asked.detected++;
      return detect(options);
    },
    open: (options) => {
      asked.opened++;
      return open(options);
    },
  };
}

export const namedDevice = (name: string, change?: Parameters<typeof fakeDevice>[0]): Device =>
  fakeDevice((inner) => ({ name, ...change?.(inner) }));

/** A provider whose devices deviate from the reference as `change` says. */
export const deviating = (name: string, change: Parameters<typeof fakeDevice>[0], detection: Partial<Detection> = {}) =>
  fakeProvider(name, { detection, open: async () => namedDevice(name, change) });

export const never = <T>(): Promise<T> => new Promise(() => {});

// ── The ways to fail ──
const noDriver = { code: "NO_DRIVER", message: "There is no driver.", remedy: "Install one." };

export const absent = (name: string) => fakeProvider(name, { detection: { available: false, reason: noDriver } });

export const absentWithoutReason = (name: string) => fakeProvider(name, { detection: { available: false } });

export const detectThrows = (name: string) =>
  fakeProvider(name, {
    detect: () => {
      throw new Error("detect broke");
    },
  });

export const detectRejects = (name: string) =>
  fakeProvider(name, { detect: () => Promise.reject(halfbyteError("READ_FAILED", "cannot read /proc")) });

export const detectHangs = (name: string) => fakeProvider(name, { detect: () => never() });

export const openThrows = (name: string) =>
  fakeProvider(name, {
    open: () => {
      throw new TypeError("open broke");
    },
  });

export const openRejects = (name: string) =>
  fakeProvider(name, { open: () => Promise.reject(halfbyteError("OUT_OF_MEMORY", "no memory left")) });

export const softwareAdapter = (name: string) =>
  fakeProvider(name, { detection: { devices: [{ id: "0", name: "llvmpipe", software: true }] } });
