/** Judging the cases of vector files on one backend; the oracle is opened when a case first needs it. */
import { type Backend, halfbyteError, openBackend, reference } from "@halfbyte/core";
import type { CheckpointFiles, VectorFile } from "./golden/find.js";
import { type CaseRecord, isRecord } from "./golden/side-car.js";
import { tensorsIn } from "./golden/tensors.js";
import { baseName, type VectorFiles } from "./golden/vector-files.js";
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
    readonly source: VectorFiles,
  ) {}

  /** Judges every case of a file. A file whose tensors cannot be read fails each of its cases. */
  async *casesOf({ name, sideCar, tensors: path }: VectorFile): AsyncGenerator<CaseResult, void, void> {
    const tensors = await this.#tensors(path).catch((error: unknown) => thrown(error));
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
    const bytes = await this.source.read(files.weights);
    const tensors = await this.#tensors(files.io);
    const config = new TextDecoder().decode(await this.source.read(files.config));
    const trial = this.#trial(checkpointRecord(files, config, [...tensors.keys()]), tensors);
    return judgeWith((it) => checkpoint(it, { bytes }), trial);
  }

  async #tensors(path: string): Promise<Map<string, Stored>> {
    return tensorsIn(await this.source.read(path), baseName(path));
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

/** A checkpoint as a case: its params are config.json, its outputs the decoded weights and the float64 logits. */
function checkpointRecord(files: CheckpointFiles, text: string, names: readonly string[]): CaseRecord {
  const config: unknown = JSON.parse(text);
  if (!isRecord(config)) throw halfbyteError("VECTORS_INVALID", `${files.config} is not a JSON object.`);
  const judged = names.filter((name) => name.startsWith("dequant.") || name === "logits_ref_f64");
  const outputs = Object.fromEntries(judged.map((name) => [name, name]));
  return { id: files.name, op: checkpointOperation, params: config, inputs: {}, outputs };
}
