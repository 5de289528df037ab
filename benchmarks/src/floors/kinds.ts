/** What a floor does: moves memory, or multiplies and adds. */

/** In the order of native/floors.cpp. */
export const floorKinds = ["read", "write", "copy", "fma-f32", "dot-int16", "dot-int8"] as const;
export type FloorKind = (typeof floorKinds)[number];

export const isMemoryKind = (kind: FloorKind): boolean => floorKinds.indexOf(kind) < 3;
