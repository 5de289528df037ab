export function carry(options?: { output?: string; node?: string | undefined }): Promise<string>;
