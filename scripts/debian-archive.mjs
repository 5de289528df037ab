/**
 * Packages of Debian's archive, unpacked anywhere: nothing is installed. apt runs with lists, state and cache of its own, and checks signatures and
 * hashes as ever; the mirror is the one this machine's apt has. Needs no root.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** Of one program: a mirror that does not answer must not hold a build for ever. */
const limitMs = 10 * 60_000;

/** Why nothing can be fetched on this machine. @returns {string | undefined} */
export function archiveObstacle() {
  const absent = ["apt-get", "dpkg-deb", "tar"].filter(
    (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status !== 0,
  );
  if (absent.length > 0) return `Debian's packages are fetched with apt, and ${absent.join(", ")} is not here.`;
  if (!existsSync(keyring)) return `Debian's keys are not here (${keyring}): install debian-archive-keyring.`;
  return mirror() ? undefined : "No Debian mirror stands in this machine's apt sources.";
}

/** Of the first Debian source of this machine's apt. */
function mirror() {
  const folder = "/etc/apt/sources.list.d";
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const texts = [...files, "/etc/apt/sources.list"].filter(existsSync).map((file) => readFileSync(file, "utf8"));
  const urls = texts.flatMap((text) =>
    [...text.matchAll(/^(?:URIs:|deb)\s.*?([a-z]+:\/\/\S+\/debian\/?)(?=\s|$)/gm)].map(([, url]) => url),
  );
  return urls[0];
}

/**
 * Runs `use` with an archive whose state lies in a folder below `cache`, removed at the end.
 * @template T
 * @param {string} cache
 * @param {{ suites: readonly string[], components?: string, architecture?: string }} wanted
 * @param {(archive: Archive) => T} use
 * @returns {T}
 */
export function withArchive(cache, { suites, components = "main", architecture = "amd64" }, use) {
  const state = join(cache, `.apt-${process.pid}`);
  try {
    for (const name of ["lists/partial", "cache/archives/partial", "debs"])
      mkdirSync(join(state, name), { recursive: true });
    const sources = suites.map(
      (suite) => `deb [arch=${architecture} signed-by=${keyring}] ${mirror()} ${suite} ${components}\n`,
    );
    writeFileSync(join(state, "sources.list"), sources.join(""));
    writeFileSync(join(state, "status"), "");
    const archive = new Archive(state, architecture);
    archive.apt("apt-get", ["-qq", "update"]);
    return use(archive);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

export class Archive {
  #state;
  #architecture;

  constructor(state, architecture) {
    this.#state = state;
    this.#architecture = architecture;
  }

  apt(program, args, cwd = this.#state) {
    const settings = {
      "Dir::Etc::sourcelist": join(this.#state, "sources.list"),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::State::Lists": join(this.#state, "lists"),
      "Dir::State::status": join(this.#state, "status"),
      "Dir::Cache": join(this.#state, "cache"),
      "APT::Sandbox::User": "root",
      "APT::Architecture": this.#architecture,
      "Acquire::Languages": "none",
    };
    return run(program, [...Object.entries(settings).map(([name, value]) => `-o${name}=${value}`), ...args], cwd);
  }

  /** The newest version that starts so, or passes. @param {string} name @param {string | ((version: string) => boolean)} wanted */
  version(name, wanted) {
    const passes = typeof wanted === "string" ? (version) => version.startsWith(wanted) : wanted;
    const rows = this.apt("apt-cache", ["madison", name]).split("\n");
    const version = rows.map((row) => row.split("|")[1]?.trim()).find((text) => text && passes(text));
    if (!version)
      throw new Error(`Debian has no ${name}${typeof wanted === "string" ? ` ${wanted}` : " as new as that"}`);
    return version;
  }

  /** Unpacks one package, or those of its files that match, into a folder. `which` is =version or /suite. */
  unpack(name, which, into, patterns = []) {
    const folder = join(this.#state, "debs", name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    mkdirSync(into, { recursive: true });
    this.apt("apt-get", ["-qq", "download", `${name}${which}`], folder);
    const deb = join(
      folder,
      readdirSync(folder).find((file) => file.endsWith(".deb")),
    );
    if (patterns.length === 0) run("dpkg-deb", ["-x", deb, into]);
    else {
      // Of gigabytes a few files are wanted: nothing lies on the disk in between. tar sees when the stream ends too early.
      const script = 'deb="$1"; shift; dpkg-deb --fsys-tarfile "$deb" | tar "$@"';
      run("sh", ["-c", script, "sh", deb, "-C", into, "-xf", "-", "--wildcards", ...patterns]);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a program prints; throws with what it said when it fails. @param {string} program @param {readonly string[]} args @param {string} [cwd] */
export function run(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    timeout: limitMs,
  });
  if (status !== 0) throw new Error(`${program} ${args.at(-1)}: ${error?.message ?? (stderr || stdout)}`);
  return stdout;
}
