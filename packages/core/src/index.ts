/** The public names of @halfbyte/core, nothing else. */
export { type Backend, createBackend, deviceOf, type Explanation, tensorOver } from "./backend.js";
export { compareCheckpoints, logicalNames, type TensorComparison } from "./checkpoint/compare-checkpoints.js";
export {
  type DequantizeCheckpointOptions,
  type DequantizeReport,
  dequantizeCheckpoint,
} from "./checkpoint/dequantize-checkpoint.js";
export { type HostScales, type HostWeight, storedBitsPerWeight, weightDecoder } from "./checkpoint/host-weight.js";
export {
  type Checkpoint,
  type CheckpointEntry,
  type OpenCheckpointOptions,
  openCheckpoint,
} from "./checkpoint/open-checkpoint.js";
export {
  type QuantizationConfig,
  type QuantStorage,
  quantizationConfigJson,
} from "./checkpoint/quantization-config.js";
export {
  type PlannedTensor,
  planQuantization,
  type QuantizationPlan,
  type QuantizeCheckpointOptions,
} from "./checkpoint/quantization-plan.js";
export {
  type CheckpointProgress,
  type CheckpointReport,
  type QuantizeRunOptions,
  quantizeCheckpoint,
  type TensorReport,
} from "./checkpoint/quantize-checkpoint.js";
export {
  layoutSafetensors,
  openSafetensors,
  type ReadOptions,
  type SafetensorsFile,
  type SafetensorsLayout,
  type StoredDType,
  type TensorEntry,
  writeSafetensors,
} from "./checkpoint/safetensors.js";
export {
  defaultSkipModules,
  selectWeights,
  type WeightCandidate,
  type WeightDecision,
  type WeightSelection,
} from "./checkpoint/select-weights.js";
export { closeShards } from "./checkpoint/shards.js";
export { directorySink, type MemorySink, memorySink, type Sink, type SinkFile } from "./checkpoint/sink.js";
export {
  blobSource,
  bytesSource,
  type HttpOptions,
  httpRepository,
  httpSource,
  memoryRepository,
  type Repository,
  type Source as ByteSource,
} from "./checkpoint/source.js";
export { type JsonObject, type JsonValue, parseStrictJson } from "./checkpoint/strict-json.js";
export { type WeightError, weightError } from "./checkpoint/weight-error.js";
export type { Device, Launch, Storage, StorageOptions } from "./device.js";
export { byteWidth, fromFloat32, isDType, toFloat32 } from "./dtype.js";
export { errorCatalogue } from "./error-catalogue.js";
export {
  type ErrorCode,
  type HalfbyteError,
  halfbyteError,
  isHalfbyteError,
  messageOf,
  nonFiniteInput,
  throwIfAborted,
} from "./errors.js";
export { type Thresholds, thresholdsOf } from "./formats/codebook.js";
export {
  bitsPerWeight,
  blockCount,
  codeBytes,
  type Format,
  nestedBlockSize,
  type SignMagnitudeThresholds,
  tableFormat,
} from "./formats/format.js";
export { formatNames, getFormat, registerFormat } from "./formats/index.js";
export { inverse127 } from "./formats/int8-rowwise.js";
export { createDynamicMap, createFp8Map, createLinearMap, createNormalMap } from "./formats/maps.js";
export { packCodes, unpackCodes } from "./formats/packing.js";
export {
  type Accuracy,
  errorSums,
  type Kernels,
  type NonFinite,
  type OpName,
  type Ops,
  type Optimizer,
  opNames,
  type Profile,
  type Step,
} from "./kernels.js";
export { type LogLevel, log, logOnce } from "./logger.js";
export { nextTurn } from "./next-turn.js";
export { blockFormat } from "./operations/quantize.js";
export { ademamixSchedule } from "./optimizer-schedule.js";
export { type PassCache, passCache } from "./pass-cache.js";
export { dequantize, nestedScales, type QuantizeOptions, quantize } from "./quantize.js";
export { createQuantizedTensor, type QuantizedParts, type QuantizedTensor, type Scales } from "./quantized-tensor.js";
export { createRandom, type Random } from "./random.js";
export { referenceBackend } from "./reference/backend.js";
export { mmDequantConstant } from "./reference/int8.js";
export { adamCorrection, isAdam, ruleOf } from "./reference/optimizer-rule.js";
export { reference } from "./reference/provider.js";
export {
  type BackendProvider,
  type Candidate,
  type Detection,
  type OpenOptions,
  type OpenReport,
  openBackend,
  type Reason,
  registerBackend,
  registeredBackends,
  type Source,
} from "./registry.js";
export { runSelfTestCase } from "./self-test.js";
export { type SelfTestCase, selfTestCase, selfTestCases } from "./self-test-cases.js";
export { sizeOf } from "./shape.js";
export { isTensor, originOf, storageOf } from "./storage.js";
export type { ArrayOf, DType, Float, Shape, Tensor } from "./tensor.js";
export { version } from "./version.js";
