/** What the adapter is, which backend an application gets here and why, and the verdict on every kernel. */
import type { Caller } from "../calls.js";
import { html, part } from "../dom.js";
import { counted, memory, milliseconds } from "../say.js";
import { showFailure } from "../show-failure.js";
import type { AdapterCalls, AdapterFacts, AdapterReport, OpenedBackend } from "./adapter-calls.js";
import { brokenKernelView } from "./broken-view.js";
import { operationsTable } from "./operations-view.js";

/** A self-test keeps a GPU busy: it runs when somebody is there to read it. */
export function showAdapterWhenSeen(call: Caller<AdapterCalls>): void {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    void showAdapter(call);
  });
  observer.observe(part("adapter-report", HTMLElement));
}

/** Fills its part of the page; again when asked, as after a lost device. */
async function showAdapter(call: Caller<AdapterCalls>): Promise<void> {
  const place = part("adapter-report", HTMLElement);
  try {
    const report = await call("report", null);
    place.replaceChildren(...reportView(call, report), againButton(call));
  } catch (thrown) {
    place.replaceChildren(againButton(call));
    showFailure(part("adapter-failure", HTMLElement), thrown);
  }
}

function againButton(call: Caller<AdapterCalls>): HTMLElement {
  const button = html("button", { type: "button" }, "Look again");
  button.addEventListener("click", () => {
    button.disabled = true;
    part("adapter-failure", HTMLElement).replaceChildren();
    void showAdapter(call);
  });
  return button;
}

const reportView = (call: Caller<AdapterCalls>, report: AdapterReport): HTMLElement[] => [
  html("div", { class: "adapter-head" }, adapterHead(report), openedView(call, report)),
  operationsTable(report.operations),
];

function adapterHead({ adapter }: AdapterReport): HTMLElement {
  if (!("features" in adapter))
    return html(
      "div",
      {},
      html("h3", {}, "No adapter"),
      html("p", {}, adapter.message),
      html("p", {}, adapter.remedy),
      html("code", {}, adapter.code),
    );
  return html(
    "div",
    {},
    html(
      "h3",
      { class: "adapter-name" },
      adapter.name,
      ...(adapter.isSoftware ? [html("span", { class: "tag warn beside" }, "software adapter")] : []),
    ),
    ...(adapter.isSoftware
      ? [html("p", { class: "aside" }, "It computes on the CPU: its results count, its times say nothing about a GPU.")]
      : []),
    features("Features", adapter.features),
    features("In shaders", adapter.languageFeatures),
    limits(adapter),
  );
}

const features = (title: string, names: readonly string[]): HTMLElement =>
  html(
    "details",
    { class: "features" },
    html("summary", {}, `${title} `, html("span", { class: "count" }, String(names.length))),
    html("ul", {}, ...names.map((name) => html("li", {}, name))),
  );

const limits = ({ limits: found }: AdapterFacts): HTMLElement =>
  html(
    "dl",
    { class: "limits" },
    ...found.flatMap(({ name, value }) => [html("dt", {}, name), html("dd", {}, limitText(name, value))]),
  );

const limitText = (name: string, value: number): string =>
  /Size$/.test(name) ? memory(value) : value.toLocaleString("en");

function openedView(call: Caller<AdapterCalls>, { chosen, webgpu, cpu }: AdapterReport): HTMLElement {
  return html(
    "div",
    {},
    html("h3", {}, "What an application gets"),
    html(
      "p",
      {},
      html("code", {}, "openBackend([webgpu(), cpu()])"),
      " opens ",
      html("strong", {}, `${chosen.name} (${chosen.tier})`),
      ".",
    ),
    ...skippedView(chosen),
    html("h3", {}, "Self-test"),
    html("p", {}, "Every kernel is held to the reference kernels when its backend is opened."),
    html(
      "ul",
      { class: "tests" },
      html("li", {}, ...selfTestView("webgpu", webgpu)),
      html("li", {}, ...selfTestView("cpu", cpu)),
    ),
    "report" in webgpu ? brokenKernelView(call) : undefined,
  );
}

const skippedView = ({ report }: OpenedBackend): HTMLElement[] =>
  report.skipped.map(({ provider, stage, code, message, remedy }) =>
    html(
      "div",
      { class: "notice" },
      html("p", { class: "notice-message" }, `${provider} was passed over (${stage}): ${message}`),
      html("p", {}, remedy),
      html("code", {}, code),
    ),
  );

function selfTestView(name: string, opened: AdapterReport["webgpu"]): (Node | string)[] {
  if (!("report" in opened))
    return [html("strong", {}, name), ` was not opened: ${opened.message} `, html("code", {}, opened.code)];
  const { cases, ms, cached } = opened.report.selfTest;
  const passed = cached ? "passed before, on this build" : `${counted(cases, "case")} passed in ${milliseconds(ms)}`;
  return [html("strong", {}, `${name} (${opened.tier})`), `: ${passed}`];
}
