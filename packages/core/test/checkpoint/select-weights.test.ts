import { describe, expect, it } from "vitest";
import { isConv1dWeight } from "../../src/checkpoint/select-weights.js";
import {
  defaultSkipModules,
  type JsonObject,
  selectWeights,
  type WeightCandidate,
  type WeightSelection,
} from "../../src/index.js";
import { type Model, models } from "./model-tensors.js";

const candidatesOf = ({ rows }: Model): WeightCandidate[] =>
  rows.map(([name, shape, , dtype = "BF16"]) => ({ name, shape, dtype }));
const namesOf = ({ rows }: Model): string[] => rows.map(([name]) => name);

describe.each(models)("$model", (model) => {
  const skipModules = defaultSkipModules(namesOf(model), model.config);
  const decisions = selectWeights(candidatesOf(model), { skipModules, config: model.config });

  it("keeps its output embedding", () => {
    expect(skipModules).toEqual(model.skipModules);
  });

  it.each(model.rows.map(([name, , reason]) => ({ name, reason })))("$name: $reason", ({ name, reason }) => {
    const transpose = reason === "Conv1D weight, transposed";
    expect(decisions.get(name)).toEqual({ quantize: transpose || reason === "linear weight", reason, transpose });
  });
});

describe("Conv1D", () => {
  it.each(["gpt2", "openai-gpt", "imagegpt", "decision_transformer"])("is what %s has", (type) => {
    expect(isConv1dWeight("h.0.mlp.c_fc.weight", { model_type: type })).toBe(true);
    expect(isConv1dWeight("h.0.crossattention.q_attn.weight", { model_type: type })).toBe(true);
    expect(isConv1dWeight("wte.weight", { model_type: type })).toBe(false);
  });

  it.each(["llama", "gpt_bigcode", "qwen", undefined])("is not what %s has", (type) => {
    expect(isConv1dWeight("h.0.attn.c_attn.weight", type === undefined ? undefined : { model_type: type })).toBe(false);
  });
});

const quantizedBy = (
  names: readonly string[],
  selection: Partial<WeightSelection>,
  config: JsonObject = {},
): string[] => {
  const candidates = names.map((name) => ({ name, shape: [64, 64], dtype: "F32" as const }));
  const decisions = selectWeights(candidates, { skipModules: defaultSkipModules(names, config), ...selection });
  return names.filter((name) => decisions.get(name)!.quantize);
};

describe("globs", () => {
  const names = [
    "embed.weight",
    "layers.0.mlp.up.weight",
    "layers.1.mlp.up.weight",
    "layers.10.attn.q.weight",
    "lm_head.weight",
  ];
  const linear = names.slice(1, 4);

  it.each<[string, string[]]>([
    ["layers.1.mlp.up.weight", ["layers.1.mlp.up.weight"]],
    ["layers.1.mlp.up", ["layers.1.mlp.up.weight"]],
    ["layers.1", ["layers.1.mlp.up.weight"]],
    ["layers", linear],
    ["layer", []],
    ["mlp", []],
    ["layers.*.mlp.*.weight", names.slice(1, 3)],
    ["layers.1*.**", names.slice(2, 4)],
    ["layers.?.**", names.slice(1, 3)],
    ["layers.*", []],
    ["*", []],
    ["**", names],
    ["**.q.weight", ["layers.10.attn.q.weight"]],
    ["layers.(0|1).**", []],
    ["layers.[01].**", []],
    ["lm_head.weight", ["lm_head.weight"]],
    ["embed", ["embed.weight"]],
  ])("--only %s", (glob, expected) => {
    expect(quantizedBy(names, { only: [glob] })).toEqual(expected);
  });

  it.each<[string, string[]]>([
    ["layers.1", ["layers.0.mlp.up.weight", "layers.10.attn.q.weight"]],
    ["**.up.weight", ["layers.10.attn.q.weight"]],
    ["nothing", linear],
  ])("--skip %s", (glob, expected) => {
    expect(quantizedBy(names, { skip: [glob] })).toEqual(expected);
  });

  it("skip wins over only, and both name the glob as the reason", () => {
    const candidates = names.map((name) => ({ name, shape: [64, 64], dtype: "F32" as const }));
    const decisions = selectWeights(candidates, { only: ["layers"], skip: ["layers.1"], skipModules: [] });
    const reasons = names.map((name) => decisions.get(name)!.reason);
    expect(reasons).toEqual([
      "matches no --only",
      "matches --only layers",
      "matches --skip layers.1",
      "matches --only layers",
      "matches no --only",
    ]);
  });

  it("cannot make a vector or an integer a weight", () => {
    const candidates = [
      { name: "norm.weight", shape: [64], dtype: "F32" as const },
      { name: "ids.weight", shape: [8, 8], dtype: "I64" as const },
    ];
    const decisions = selectWeights(candidates, { only: ["**"], skipModules: [] });
    expect([...decisions.values()].map(({ quantize }) => quantize)).toEqual([false, false]);
  });
});

describe("llm_int8_skip_modules", () => {
  // An entry matches a module of this name, and every module whose dotted name contains "entry.".
  const names = [
    "head.weight",
    "model.head.weight",
    "model.head.dense.weight",
    "model.overhead.dense.weight",
    "model.header.weight",
    "model.0.weight",
    "model.10.weight",
  ];

  it.each<[string[], string[]]>([
    [["head"], ["model.header.weight", "model.0.weight", "model.10.weight"]],
    [
      ["model.head"],
      ["head.weight", "model.overhead.dense.weight", "model.header.weight", "model.0.weight", "model.10.weight"],
    ],
    [["model.0"], names.filter((name) => name !== "model.0.weight")],
    [
      ["0"],
      [
        "head.weight",
        "model.head.weight",
        "model.head.dense.weight",
        "model.overhead.dense.weight",
        "model.header.weight",
      ],
    ],
    [["model"], ["head.weight"]],
    [
      ["dense", "head"],
      ["model.header.weight", "model.0.weight", "model.10.weight"],
    ],
    [["hea"], names],
    [[], names],
  ])("%j leaves %j", (skipModules, expected) => {
    expect(quantizedBy(names, { skipModules })).toEqual(expected);
  });
});
