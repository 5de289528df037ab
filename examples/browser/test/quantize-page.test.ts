/** The page quantizes to the bytes that core gives in Node, which are those of the command line. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cpu } from "@halfbyte/backend-cpu";
import {
  fromFloat32,
  memoryRepository,
  memorySink,
  openBackend,
  type QuantizeCheckpointOptions,
  quantizeCheckpoint,
  writeSafetensors,
} from "@halfbyte/core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumAdvice } from "../../../test/find-chromium.js";
import { exampleModel, exampleName } from "../src/quantize/example-model.js";
import { downloaded, keptFiles, openSite, quantize, type Site, showAdapter } from "./opened-page.js";

let site: Site | undefined;
beforeAll(async () => {
  site = await openSite();
}, 120_000);
afterAll(() => site?.close());

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function inNode(
  files: Record<string, Uint8Array>,
  options: QuantizeCheckpointOptions,
): Promise<Map<string, Uint8Array>> {
  const backend = await openBackend([cpu()]);
  const sink = memorySink();
  await quantizeCheckpoint(memoryRepository(files), sink, { ...options, backend });
  await backend.dispose();
  return sink.files;
}

const payload = (name: string, bytes: Uint8Array) => ({
  name,
  mimeType: "application/octet-stream",
  buffer: Buffer.from(bytes),
});

async function choose(page: Page, { format, blockSize, nested }: QuantizeCheckpointOptions): Promise<void> {
  await page.locator(`input[value="${format}"]`).check({ force: true });
  if (blockSize !== undefined) await page.getByLabel("Block size").selectOption(String(blockSize));
  if (format !== "int8") await page.getByLabel("Quantize the scales too").setChecked(nested ?? false);
}

const weight = (name: string, rows: number, columns: number, value = (index: number) => Math.sin(index * 1.7)) => ({
  name,
  dtype: "F16" as const,
  shape: [rows, columns],
  bytes: new Uint8Array(
    fromFloat32(
      "float16",
      Float32Array.from({ length: rows * columns }, (_, i) => value(i)),
    ).buffer,
  ),
});

describe("quantizing in the page", () => {
  it.for<QuantizeCheckpointOptions>([
    { format: "nf4", nested: true },
    { format: "fp4", blockSize: 128 },
    { format: "af4" },
    { format: "int8" },
  ])("gives the bytes of the command line for %o", async (options, { skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await choose(page, options);
    await page.getByRole("button", { name: "Make an example" }).click();
    await quantize(page);
    const found = await downloaded(page, `example-${options.format}.safetensors`);
    const expected = await inNode({ [exampleName]: exampleModel() }, options);
    expect(hash(found)).toBe(hash(expected.get(exampleName)!));
    expect(opened.complaints).toEqual([]);
  });

  it("tells of every tensor, and of one when it is picked", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await page.getByRole("button", { name: "Make an example" }).click();
    await quantize(page);
    const table = page.getByRole("region", { name: "Tensors and what became of them" });
    expect(await table.locator("tbody tr").count()).toBe(22);
    expect(await table.getByText("embedding", { exact: true }).count()).toBe(1);
    const name = "model.layers.1.self_attn.o_proj.weight";
    await table.getByRole("button", { name }).click();
    expect(await page.locator("figcaption").first().textContent()).toContain(name);
    expect(await table.getByRole("button", { name }).getAttribute("aria-pressed")).toBe("true");
    expect(await page.getByRole("img", { name: /Use of the codes of nf4: 16 codes in use/ }).count()).toBe(1);
  });

  it("writes the shards of a model, its index and config.json into a folder", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    const files = shardedModel();
    await using opened = await site.open(pickOwnFolder);
    const { page } = opened;
    await page.locator("#files").setInputFiles(Object.entries(files).map(([name, bytes]) => payload(name, bytes)));
    await quantize(page);
    await page.getByRole("button", { name: "Save all to a folder" }).click();
    await page.getByText("Saved.", { exact: true }).waitFor();
    const expected = await inNode(files, { format: "nf4" });
    for (const [name, bytes] of expected) expect([name, await savedHash(page, name)]).toEqual([name, hash(bytes)]);
  });

  it("turns Conv1D weights, and measures them where the file has them", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    const file = writeSafetensors([weight("h.0.attn.c_attn.weight", 64, 192)], { format: "pt" });
    await using opened = await site.open();
    const { page } = opened;
    await page.locator("#files").setInputFiles([payload("gpt.safetensors", file)]);
    await quantize(page);
    expect(await page.getByText("Conv1D weight, transposed").count()).toBe(1);
    // Read in the wrong order, errors would be as large as the weights.
    const label = await page.getByRole("img", { name: /Errors of single weights/ }).getAttribute("aria-label");
    expect(Number(/smaller than ([\d.]+) %/.exec(label!)![1])).toBeLessThan(20);
    const expected = await inNode({ "gpt.safetensors": file }, { format: "nf4" });
    expect(hash(await downloaded(page, "gpt-nf4.safetensors"))).toBe(hash(expected.get("gpt.safetensors")!));
  });
});

function shardedModel(): Record<string, Uint8Array> {
  const utf8 = (value: object) => new TextEncoder().encode(JSON.stringify(value));
  const [a, b] = ["model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight"];
  const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const map = { [a!]: first, [b!]: second };
  return {
    [first!]: writeSafetensors([weight(a!, 96, 64)], { format: "pt" }),
    [second!]: writeSafetensors([weight(b!, 64, 96)], { format: "pt" }),
    "model.safetensors.index.json": utf8({ metadata: { total_size: 24_576 }, weight_map: map }),
    "config.json": utf8({ model_type: "llama", torch_dtype: "float16" }),
    "tokenizer.json": utf8({ version: "1.0" }),
  };
}

/** Nobody can press the buttons of the dialog: the folder is one of the browser's own. */
async function pickOwnFolder(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const pick = async () => (await navigator.storage.getDirectory()).getDirectoryHandle("picked", { create: true });
    Object.assign(globalThis, { showDirectoryPicker: pick });
  });
}

async function savedHash(page: Page, name: string): Promise<string> {
  const bytes = await page.evaluate(async (file) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("picked");
    return [...new Uint8Array(await (await (await folder.getFileHandle(file)).getFile()).arrayBuffer())];
  }, name);
  return hash(Uint8Array.from(bytes));
}

/** 40 MB, in the file that the browser reads itself. */
async function largeFile(): Promise<string> {
  const layers = Array.from({ length: 10 }, (_, layer) =>
    weight(`layers.${layer}.fc.weight`, 1024, 2048, (i) => i % 97),
  );
  const file = join(site!.folder, "large.safetensors");
  await writeFile(file, writeSafetensors(layers));
  return file;
}

/** In the page: presses Stop as soon as a tensor is done, once. */
function stopAtFirstTensor(): void {
  const [text, stop] = [document.querySelector("#progress-text")!, document.querySelector<HTMLElement>("#stop")!];
  const observer = new MutationObserver(() => {
    if (!text.textContent?.startsWith("Quantizing 1 of 10")) return;
    observer.disconnect();
    stop.click();
  });
  observer.observe(text, { childList: true });
}

describe("a run that does not end", () => {
  it("is stopped by the button, and leaves nothing", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await page.locator("#files").setInputFiles(await largeFile());
    await page.evaluate(stopAtFirstTensor);
    await page.locator("#start:enabled").click();
    await page.getByText("ABORTED", { exact: true }).waitFor();
    expect(await keptFiles(page)).toBe(0);
    expect(await page.locator("#result").isVisible()).toBe(false);
    await quantize(page);
    expect(await keptFiles(page)).toBe(1);
  });
});

const [header, bigHeader] = [new Uint8Array(8), new Uint8Array(8).fill(255)];
const nan = weight("fc.weight", 64, 64, (index) => (index === 70 ? Number.NaN : 1));

describe("what is no model", () => {
  it.for<readonly [title: string, name: string, bytes: Uint8Array, code: string]>([
    [
      "a text file",
      "notes.safetensors",
      new TextEncoder().encode("Dear diary, today nothing was quantized."),
      "HEADER_TOO_LARGE",
    ],
    ["a file of another kind", "picture.png", header, "INPUT_NOT_FOUND"],
    ["an empty file", "empty.safetensors", new Uint8Array(0), "HEADER_TRUNCATED"],
    ["a header longer than any", "long.safetensors", bigHeader, "HEADER_TOO_LARGE"],
    ["a file that was cut off", "cut.safetensors", exampleModel().subarray(0, 100_000), "OFFSETS_OUT_OF_RANGE"],
    [
      "a file with nothing to quantize",
      "bias.safetensors",
      writeSafetensors([weight("fc.bias", 4, 4)]),
      "NOTHING_TO_QUANTIZE",
    ],
  ])("is refused with its reason: %s", async ([, name, bytes, code], { skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await page.locator("#files").setInputFiles([payload(name, bytes)]);
    const alert = page.getByRole("alert");
    await alert.getByText(code, { exact: true }).waitFor();
    expect((await alert.locator("p").allTextContents()).every((text) => text.length > 10)).toBe(true);
    expect(await page.locator("#start").isDisabled()).toBe(true);
  });

  it("is found out while it is quantized: a weight with NaN leaves no result", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await page.locator("#files").setInputFiles([payload("nan.safetensors", writeSafetensors([nan]))]);
    await page.locator("#start:enabled").click();
    const alert = page.getByRole("alert");
    await alert.getByText("NON_FINITE_INPUT", { exact: true }).waitFor();
    expect(await alert.textContent()).toContain("first at flat index 70");
    expect(await keptFiles(page)).toBe(0);
  });
});

describe("without a network", () => {
  it("works as before, and never asks for anything elsewhere", { timeout: 240_000 }, async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page, context, requests } = opened;
    const before = requests.length;
    await context.setOffline(true);
    await page.getByRole("button", { name: "Make an example" }).click();
    await quantize(page);
    expect((await downloaded(page, "example-nf4.safetensors")).length).toBeGreaterThan(1e6);
    await showAdapter(page);
    const isOurs = (url: string) => url.startsWith(site!.url) || url.startsWith("blob:");
    expect(requests.filter((url) => !isOurs(url))).toEqual([]);
    expect(requests.slice(before).filter((url) => !url.startsWith("blob:"))).toEqual([]);
    expect(opened.complaints).toEqual([]);
  });
});
