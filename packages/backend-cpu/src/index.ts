/** The CPU backend of halfbyte. Importing it does nothing: register it, or pass cpu() to openBackend(). */
export { type CpuOptions, type CpuTier, cpu } from "./provider.js";
