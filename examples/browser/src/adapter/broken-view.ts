/** Breaking a kernel on purpose, to see the self-test catch it. */
import type { Caller } from "../calls.js";
import { html } from "../dom.js";
import { showFailure } from "../show-failure.js";
import type { AdapterCalls, Broken } from "./adapter-calls.js";

export function brokenKernelView(call: Caller<AdapterCalls>): HTMLElement {
  const button = html("button", { type: "button", class: "link" }, "Break a kernel on purpose");
  const told = html("div", { role: "status" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      told.replaceChildren(notice(await call("broken", null)));
    } catch (thrown) {
      showFailure(told, thrown);
    }
    button.disabled = false;
  });
  return html("div", {}, html("p", {}, "Would it notice? ", button, "."), told);
}

function notice({ change, demoted, refused }: Broken): HTMLElement {
  const lines = demoted.map(
    ({ op, kernel, variant, message }) => `${op}: ${kernel} (${variant}) was demoted. ${message}`,
  );
  const outcome = refused
    ? `The backend was refused: ${refused.message}`
    : "The backend opened, and runs other kernels in their place.";
  const unnoticed = !refused && demoted.length === 0;
  return html(
    "div",
    { class: unnoticed ? "notice failure" : "notice" },
    html("p", { class: "notice-message" }, change),
    ...lines.map((line) => html("p", {}, line)),
    html("p", {}, unnoticed ? "Nothing noticed it." : outcome),
    html("code", {}, refused?.code ?? demoted[0]?.code ?? "PASSED"),
  );
}
