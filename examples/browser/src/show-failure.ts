/** A failure on the page: a sentence, what to do, and the code to look up. */

import { html } from "./dom.js";
import { failureOf } from "./failure.js";

/** Fills a place that screen readers announce. */
export function showFailure(place: HTMLElement, thrown: unknown): void {
  const { code, message, remedy } = failureOf(thrown);
  place.replaceChildren(
    html(
      "div",
      { class: code === "ABORTED" ? "notice" : "notice failure", role: code === "ABORTED" ? "status" : "alert" },
      html("p", { class: "notice-message" }, message),
      html("p", {}, remedy),
      html("code", {}, code),
    ),
  );
  place.scrollIntoView({ block: "nearest" });
}
