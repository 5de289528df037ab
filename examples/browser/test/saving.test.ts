/** Taking a result home through the File System Access API: complete, or not at all, and by keyboard. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumAdvice } from "../../../test/find-chromium.js";
import { downloaded, openSite, quantize, type Site } from "./opened-page.js";

let site: Site | undefined;
beforeAll(async () => {
  site = await openSite();
}, 120_000);
afterAll(() => site?.close());

type Outcome = "picked" | "cancelled" | "full" | "refused";

/** Nobody can press the buttons of the dialog: the file is one of the browser's own, or the picker fails as browsers do. */
const pickerThat = (outcome: Outcome) => (page: Page) =>
  page.addInitScript((wanted) => {
    const failing = (name: string) => Promise.reject(new DOMException("as the test wants it", name));
    const pick = async ({ suggestedName }: { suggestedName: string }) => {
      if (wanted === "cancelled") return failing("AbortError");
      if (wanted === "refused") return failing("SecurityError");
      const handle = await (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
      if (wanted === "full") Object.assign(handle, { createWritable: () => failing("QuotaExceededError") });
      return handle;
    };
    Object.assign(globalThis, { showSaveFilePicker: pick });
  }, outcome);

async function save(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Make an example" }).click();
  await quantize(page);
  await page.getByRole("button", { name: "Save to a file" }).click();
}

const savedSize = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const handle = await (await navigator.storage.getDirectory()).getFileHandle("example-nf4.safetensors");
    return (await handle.getFile()).size;
  });

describe("saving to a file", () => {
  it("writes all of it", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open(pickerThat("picked"));
    const { page } = opened;
    await save(page);
    await page.getByText("Saved.", { exact: true }).waitFor();
    expect(await savedSize(page)).toBe((await downloaded(page, "example-nf4.safetensors")).length);
  });

  it("may be thought better of", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open(pickerThat("cancelled"));
    await save(opened.page);
    await opened.page.getByText("Not saved.", { exact: true }).waitFor();
    expect(await opened.page.getByRole("alert").count()).toBe(0);
  });

  it.for<readonly [Outcome, string]>([
    ["full", "DESTINATION_FULL"],
    ["refused", "DESTINATION_NOT_WRITABLE"],
  ])("says why it cannot: %s", async ([outcome, code], { skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open(pickerThat(outcome));
    await save(opened.page);
    await opened.page.getByRole("alert").getByText(code, { exact: true }).waitFor();
    if (outcome === "full") expect(await savedSize(opened.page)).toBe(0);
  });
});

describe("without a mouse", () => {
  it("an example is made, quantized, and the result read out", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const { page } = opened;
    await page.getByRole("button", { name: "Make an example" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#start:enabled").focus();
    await page.keyboard.press("Enter");
    await page.locator("#result-title:focus").waitFor();
    expect(await page.locator("#announce").textContent()).toMatch(/^Done\. 7\.05 MB became/);
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Download");
  });

  it("every control has a name", async ({ skip }) => {
    if (!site) return skip(chromiumAdvice);
    await using opened = await site.open();
    const nameless = await opened.page.evaluate(() =>
      Array.from(document.querySelectorAll<HTMLInputElement>("button, select, input, progress"))
        .filter(({ labels, textContent, ariaLabel }) => !labels?.length && !textContent?.trim() && !ariaLabel)
        .map(({ outerHTML }) => outerHTML),
    );
    expect(nameless).toEqual([]);
  });
});
