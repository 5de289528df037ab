/** The operations of LLM.int8(). */
import { floatDtypes } from "../dtype.js";
import type { Profile } from "../kernels.js";
import { lastOf, rowsOf } from "../shape.js";
import type { Float, Tensor } from "../tensor.js";
import {
  expectNumber,
  expectOneOf,
  expectRank,
  expectShape,
  expectSize,
  expectTensor,
  nonFiniteRules,
  type Operation,
  present,
  profiles,
} from "./operation.js";

export const int8VectorwiseQuant: Operation<"int8VectorwiseQuant"> = {
  plan({ x, threshold, nonFinite = "error" }) {
    expectTensor("x", x);
    expectRank("x", x.shape, 1);
    expectNumber("threshold", threshold, 0);
    expectOneOf("nonFinite", nonFinite, nonFiniteRules);
    return {
      inputs: [x],
      outputs: {
        q: { dtype: "int8", shape: x.shape },
        rowStats: { dtype: "float32", shape: [rowsOf(x.shape)] },
        outlierColumns: { dtype: "uint8", shape: [lastOf(x.shape)] },
      },
    };
  },
};

export const int8VectorwiseDequant: Operation<"int8VectorwiseDequant"> = {
  plan({ q, rowStats }) {
    expectTensor("q", q, ["int8"]);
    expectRank("q", q.shape, 1);
    expectStats("rowStats", rowStats, rowsOf(q.shape));
    return { inputs: [q, rowStats], outputs: { out: { dtype: "float32", shape: q.shape } } };
  },
};

function expectStats(name: string, stats: Tensor<"float32">, count: number): void {
  expectTensor(name, stats, ["float32"]);
  expectSize(name, stats.size, count);
}

/** a[.., K] and b[N, K]; the shape of their product. */
function productShape(a: Tensor<"int8">, b: Tensor<"int8">): number[] {
  expectTensor("a", a, ["int8"]);
  expectTensor("b", b, ["int8"]);
  expectRank("a", a.shape, 1);
  expectRank("b", b.shape, 2, 2);
  expectShape("b", b.shape, [b.shape[0]!, lastOf(a.shape)]);
  return [...a.shape.slice(0, -1), b.shape[0]!];
}

export const int8LinearMatmul: Operation<"int8LinearMatmul"> = {
  plan: ({ a, b }) => ({ inputs: [a, b], outputs: { out: { dtype: "int32", shape: productShape(a, b) } } }),
};

interface Scaled {
  readonly rowStats: Tensor<"float32">;
  readonly colStats: Tensor<"float32">;
  readonly bias?: Tensor<Float>;
  readonly profile?: Profile;
}

function expectScaled(
  { rowStats, colStats, bias, profile = "reference" }: Scaled,
  rows: number,
  columns: number,
): void {
  expectStats("rowStats", rowStats, rows);
  expectStats("colStats", colStats, columns);
  expectOneOf("profile", profile, profiles);
  if (!bias) return;
  expectTensor("bias", bias);
  expectSize("bias", bias.size, columns);
}

export const int8MmDequant: Operation<"int8MmDequant"> = {
  plan(args) {
    expectTensor("a", args.a, ["int32"]);
    expectRank("a", args.a.shape, 1);
    expectScaled(args, rowsOf(args.a.shape), lastOf(args.a.shape));
    expectOneOf("dtype", args.dtype, floatDtypes);
    return {
      inputs: present([args.a, args.rowStats, args.colStats, args.bias]),
      outputs: { out: { dtype: args.dtype, shape: args.a.shape } },
    };
  },
};

export const int8ScaledMm: Operation<"int8ScaledMm"> = {
  plan(args) {
    const shape = productShape(args.a, args.b);
    expectScaled(args, rowsOf(shape), lastOf(shape));
    expectOneOf("dtype", args.dtype, floatDtypes);
    return {
      inputs: present([args.a, args.b, args.rowStats, args.colStats, args.bias]),
      outputs: { out: { dtype: args.dtype, shape } },
    };
  },
  compose: {
    run(kernels, { a, b, ...scaling }, out) {
      using product = kernels.int8LinearMatmul({ a, b }).out;
      kernels.int8MmDequant({ ...scaling, a: product }, out);
    },
    steps: ({ a, b, ...scaling }, phantom) => [
      { op: "int8LinearMatmul", args: { a, b } },
      { op: "int8MmDequant", args: { ...scaling, a: phantom("int32", productShape(a, b)) } },
    ],
  },
};

export const int8MixedScaledMm: Operation<"int8MixedScaledMm"> = {
  plan(args) {
    const { x, a, b, rowStats, colStats, outlierColumns, bias } = args;
    const shape = productShape(a, b);
    expectTensor("x", x);
    expectShape("x", x.shape, a.shape);
    expectTensor("outlierColumns", outlierColumns, ["uint8"]);
    expectSize("outlierColumns", outlierColumns.size, lastOf(a.shape));
    expectScaled(args, rowsOf(shape), lastOf(shape));
    return {
      inputs: present<Tensor>([x, a, b, rowStats, colStats, outlierColumns, bias]),
      outputs: { out: { dtype: x.dtype, shape } },
    };
  },
};
