export function vulkanCache(env?: NodeJS.ProcessEnv): string;
export function keptDriver(cache?: string): string | undefined;
