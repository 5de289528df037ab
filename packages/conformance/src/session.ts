/** Judging the cases of vector files on one backend; the oracle is opened when a case first needs it. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Backend, halfbyteError, openBackend, reference } from "@halfbyte/core";
import type { CheckpointFiles, VectorFile } from "./golden/find.js";
import { type CaseRecord, isRecord } from "./golden/side-car.js";
import { tensorsIn } from "./golden/tensors.js";
import { checkpoint } from "./judge/checkpoint.js";
import type { Stored } from "./judge/elements.js";
import { judgeCase, judgeWith, thrown } from "./judge/index.js";
import { type JudgedProfile, Trial } from "./judge/trial.js";
import { type CaseResult, checkpointOperation, resultOf } from "./summary.js";

export class Session implements AsyncDisposable {
  #oracle: Promise<Backend> | undefined;

  constructor(
    readonly backend: Backend,
    readonly profile: JudgedProfile,
  ) {}

  /** Judges every case of a file. A file whose tensors cannot be read fails each of its cases. */
  async *casesOf({ name, sideCar, tensorsPath }: VectorFile): AsyncGenerator<CaseResult, void, void> {
    const tensors = await readTensors(tensorsPath).catch((error: unknown) => thrown(error));
    for (const record of sideCar.cases) {
      const failure = "found" in tensors ? tensors : await judgeCase(this.#trial(record, tensors));
      yield resultOf(`${name}:${record.id}`, record.op, failure);
    }
  }

  async checkpoint(files: CheckpointFiles): Promise<CaseResult> {
    const failure = await this.#checkpointFailure(files).catch((error: unknown) => thrown(error));
    return resultOf(files.name, checkpointOperation, failure);
  }

  async #checkpointFailure(files: CheckpointFiles) {
    const bytes = new Uint8Array(await readFile(files.weights));
    const tensors = await readTensors(files.io);
    const trial = this.#trial(await checkpointRecord(files, [...tensors.keys()]), tensors);
    return judgeWith((it) => checkpoint(it, { bytes }), trial);
  }

  #trial(record: CaseRecord, tensors: ReadonlyMap<string, Stored>): Trial {
    return new Trial(this.backend, this.profile, record, tensors, () => this.#openOracle());
  }

  #openOracle(): Promise<Backend> {
    this.#oracle ??= openBackend([reference()], { order: ["reference"] });
    return this.#oracle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#oracle)?.dispose();
  }
}

async function readTensors(path: string): Promise<Map<string, Stored>> {
  return tensorsIn(new Uint8Array(await readFile(path)), basename(path));
}

/** A checkpoint as a case: its params are config.json, its outputs the decoded weights and the float64 logits. */
async function checkpointRecord(files: CheckpointFiles, names: readonly string[]): Promise<CaseRecord> {
  const config: unknown = JSON.parse(await readFile(files.config, "utf8"));
  if (!isRecord(config)) throw halfbyteError("VECTORS_INVALID", `${files.config} is not a JSON object.`);
  const judged = names.filter((name) => name.startsWith("dequant.") || name === "logits_ref_f64");
  const outputs = Object.fromEntries(judged.map((name) => [name, name]));
  return { id: files.name, op: checkpointOperation, params: config, inputs: {}, outputs };
}
