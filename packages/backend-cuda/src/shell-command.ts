/** Commands to paste: for sh, or for PowerShell on Windows. */

export const setVariable = (platform: string, name: string, value: string): string =>
  platform === "win32" ? `$env:${name} = "${value}"` : `export ${name}=${value}`;

export const unsetVariable = (platform: string, name: string): string =>
  platform === "win32" ? `Remove-Item Env:${name}` : `unset ${name}`;

/** A list of folders in a variable, without those that `unwanted` names; unset when none is left. Undefined when there was none. */
export function withoutFolders(name: string, value: string, unwanted: (folder: string) => boolean): string | undefined {
  const folders = value.split(":").filter((folder) => folder !== "");
  const kept = folders.filter((folder) => !unwanted(folder));
  if (kept.length === folders.length) return undefined;
  return kept.length === 0 ? unsetVariable("linux", name) : setVariable("linux", name, kept.join(":"));
}
