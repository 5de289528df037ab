/** A page in headless Chromium, with a server behind it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium } from "playwright-core";
import { chromiumFlags } from "./find-chromium.js";

/** Content type and body by path. */
export type Pages = Readonly<Record<string, readonly [type: string, body: string | Uint8Array]>>;

/**
 * What an expression comes to in the page. It is text: functions that vitest compiled may refer to helpers that the page does not have.
 */
export async function evaluateInChromium<T>(executablePath: string, pages: Pages, expression: string): Promise<T> {
  const server = await serve({ "/": ["text/html", "<!doctype html>"], ...pages });
  const browser = await chromium.launch({ executablePath, headless: true, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return await page.evaluate<T>(expression);
  } finally {
    await browser.close();
    server.close();
  }
}

function serve(pages: Pages): Promise<Server> {
  const server = createServer((request, response) => {
    const page = pages[request.url ?? ""];
    response.writeHead(page ? 200 : 404, { "content-type": page?.[0] ?? "text/plain" }).end(page?.[1]);
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}
