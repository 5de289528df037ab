/** Buttons that take the result home. */
import { html } from "../dom.js";
import { bytes } from "../say.js";
import { showFailure } from "../show-failure.js";
import type { Result, ResultFile } from "./quantize-calls.js";
import { canPickFile, canPickFolder, download, saveToFile, saveToFolder } from "./save-result.js";

export function saveButtons(files: readonly ResultFile[], kept: Result["kept"]): HTMLElement {
  const said = html("p", { class: "saved", role: "status" });
  const failure = html("div");
  const button = (label: string, primary: boolean, save: () => Promise<boolean> | undefined) => {
    const made = html("button", { type: "button", class: primary ? "primary" : "" }, label);
    made.addEventListener("click", () => void run(made, save, said, failure));
    return made;
  };
  const downloads = files.map((file, index) =>
    button(`Download ${file.name} (${bytes(file.file.size)})`, index === 0, () => download(file)),
  );
  const where = kept === "disk" ? "the browser’s own storage, until this tab is closed" : "this tab’s memory";
  said.textContent = `The result lies in ${where}.`;
  return html(
    "div",
    { class: "save" },
    html("div", { class: "run" }, ...downloads, ...pickerButtons(files, button)),
    said,
    failure,
  );
}

function pickerButtons(
  files: readonly ResultFile[],
  button: (label: string, primary: boolean, save: () => Promise<boolean>) => HTMLElement,
): HTMLElement[] {
  if (files.length === 1) return canPickFile() ? [button("Save to a file …", false, () => saveToFile(files[0]!))] : [];
  return canPickFolder() ? [button("Save all to a folder …", false, () => saveToFolder(files))] : [];
}

async function run(
  button: HTMLButtonElement,
  save: () => Promise<boolean> | undefined,
  said: HTMLElement,
  failure: HTMLElement,
): Promise<void> {
  failure.replaceChildren();
  button.disabled = true;
  try {
    const saved = await save();
    said.textContent = saved === undefined ? "Given to the browser as a download." : saved ? "Saved." : "Not saved.";
  } catch (thrown) {
    showFailure(failure, thrown);
  } finally {
    button.disabled = false;
  }
}
