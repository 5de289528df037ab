/** ONNX models as bytes, made in memory. Field numbers are those of onnx.proto3; only what the benchmarks need is declared. */
import protobuf from "protobufjs";

const int64 = (id: number) => ({ type: "int64", id });
const text = (id: number) => ({ type: "string", id });
const many = (type: string, id: number) => ({ rule: "repeated", type, id });

const schema = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: int64(1),
        producerName: text(2),
        graph: { type: "GraphProto", id: 7 },
        opsetImport: many("OperatorSetIdProto", 8),
      },
    },
    OperatorSetIdProto: { fields: { domain: text(1), version: int64(2) } },
    GraphProto: {
      fields: {
        node: many("NodeProto", 1),
        name: text(2),
        initializer: many("TensorProto", 5),
        input: many("ValueInfoProto", 11),
        output: many("ValueInfoProto", 12),
      },
    },
    NodeProto: {
      fields: {
        input: many("string", 1),
        output: many("string", 2),
        opType: text(4),
        attribute: many("AttributeProto", 5),
        domain: text(7),
      },
    },
    AttributeProto: { fields: { name: text(1), i: int64(3), type: { type: "int32", id: 20 } } },
    TensorProto: {
      fields: {
        dims: many("int64", 1),
        dataType: { type: "int32", id: 2 },
        name: text(8),
        rawData: { type: "bytes", id: 9 },
      },
    },
    ValueInfoProto: { fields: { name: text(1), type: { type: "TypeProto", id: 2 } } },
    TypeProto: { fields: { tensorType: { type: "TensorTypeProto", id: 1 } } },
    TensorTypeProto: { fields: { elemType: { type: "int32", id: 1 }, shape: { type: "TensorShapeProto", id: 2 } } },
    TensorShapeProto: { fields: { dim: many("DimensionProto", 1) } },
    DimensionProto: { fields: { dimValue: int64(1) } },
  },
});
const modelType = schema.lookupType("ModelProto");

/** Numbers of TensorProto.DataType. */
const dataTypes = { float32: 1, uint8: 2 } as const;
const integerAttribute = 2;

export interface OnnxTensor {
  readonly name: string;
  readonly dtype: keyof typeof dataTypes;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxNode {
  readonly op: string;
  /** Default: the standard operators. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, number>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly OnnxTensor[];
  /** float32, as are the outputs. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export function encodeModel({ nodes, weights, inputs, outputs }: OnnxGraph): Uint8Array {
  const graph = {
    name: "bench",
    node: nodes.map(nodeMessage),
    initializer: weights.map(({ name, dtype, shape, bytes }) => ({
      name,
      dims: shape,
      dataType: dataTypes[dtype],
      rawData: bytes,
    })),
    input: inputs.map(valueMessage),
    output: outputs.map(valueMessage),
  };
  const opsetImport = [
    { domain: "", version: 21 },
    { domain: "com.microsoft", version: 1 },
  ];
  return modelType.encode({ irVersion: 10, producerName: "halfbyte-bench", graph, opsetImport }).finish();
}

const nodeMessage = ({ op, domain = "", inputs, output, attributes = {} }: OnnxNode) => ({
  input: inputs,
  output: [output],
  opType: op,
  domain,
  attribute: Object.entries(attributes).map(([name, i]) => ({ name, i, type: integerAttribute })),
});

const valueMessage = ({ name, shape }: OnnxValue) => ({
  name,
  type: {
    tensorType: { elemType: dataTypes.float32, shape: { dim: shape.map((dimValue) => ({ dimValue })) } },
  },
});
