/** Every failure code with its name, meaning and remedy; `docs/errors.md` is generated from it. Grouped by where they come from. */

interface CatalogueEntry {
  readonly name: string;
  /** What it means, for the reference page. */
  readonly meaning: string;
  /** What to do when the place that throws knows nothing better. */
  readonly remedy: string;
}

const entry = (name: string, meaning: string, remedy: string): CatalogueEntry => ({ name, meaning, remedy });

export const errorCatalogue = {
  // Arguments
  INVALID_ARGUMENT: entry(
    "InvalidArgumentError",
    "An option or argument has a value that is not allowed.",
    "Pass one of the allowed values.",
  ),
  INVALID_SHAPE: entry(
    "InvalidShapeError",
    "A shape is not a list of non-negative integers, or its size does not fit.",
    "Use non-negative integer dimensions whose product is the number of elements.",
  ),
  SHAPE_MISMATCH: entry(
    "ShapeMismatchError",
    "Two shapes that must agree do not.",
    "Check the shapes named in the message; weights are [outFeatures, inFeatures].",
  ),
  DTYPE_MISMATCH: entry(
    "DTypeMismatchError",
    "A tensor has another dtype than the operation takes.",
    "Convert the data before it becomes a tensor.",
  ),
  WRONG_BACKEND: entry(
    "WrongBackendError",
    "Tensors of different backends met in one operation.",
    "Move one of them with `await tensor.to(backend)`.",
  ),
  TENSOR_DISPOSED: entry(
    "TensorDisposedError",
    "A tensor was used after dispose().",
    "Dispose a tensor only after its last use.",
  ),
  UNKNOWN_FORMAT: entry(
    "UnknownFormatError",
    "No format of this name is registered.",
    "Use one of the registered formats, or register yours with registerFormat().",
  ),
  INVALID_FORMAT: entry(
    "InvalidFormatError",
    "A format record breaks a rule (entries, order, name).",
    "Give 16 or 256 finite entries and a new name.",
  ),
  UNSUPPORTED_BLOCK_SIZE: entry(
    "UnsupportedBlockSizeError",
    "The format does not allow this block size.",
    "Use one of the block sizes named in the message.",
  ),
  // Execution
  NON_FINITE_INPUT: entry(
    "NonFiniteInputError",
    "The input of a quantizer holds NaN or Infinity.",
    'Repair the value at the index named, or pass nonFinite: "propagate" to get what upstream computes.',
  ),
  UNSUPPORTED_KERNEL: entry(
    "UnsupportedKernelError",
    "The backend has no kernel for these arguments and core cannot compose one.",
    "Use a backend that has it; the reference backend has every operation.",
  ),
  OUT_OF_MEMORY: entry(
    "OutOfMemoryError",
    "The device cannot allocate this much memory.",
    "Dispose tensors that are no longer needed, or use smaller ones.",
  ),
  DEVICE_LOST: entry("DeviceLostError", "The device went away; everything on it is gone.", "Open the backend again."),
  BACKEND_CLOSED: entry("BackendClosedError", "The backend was disposed.", "Open the backend again."),
  KERNEL_FAILED: entry(
    "KernelFailedError",
    "A kernel threw while running.",
    "Report it with the operation and shapes named in the message.",
  ),
  ABORTED: entry("AbortedError", "The caller's AbortSignal fired.", "Nothing to repair: the work was cancelled."),
  // Opening a backend
  BACKEND_UNAVAILABLE: entry(
    "BackendUnavailableError",
    "None of the requested backends could be opened.",
    'Read the reasons in the message, or add "reference" to the order.',
  ),
  UNKNOWN_BACKEND: entry(
    "UnknownBackendError",
    "The order names a backend that is not registered.",
    "Register its provider, or correct the name in `order` or HALFBYTE_BACKEND.",
  ),
  NOT_AVAILABLE: entry(
    "NotAvailableError",
    "A provider reports that this machine cannot run it.",
    "See the provider's own reason.",
  ),
  DETECT_FAILED: entry(
    "DetectFailedError",
    "A provider's detect() threw or took too long.",
    "Report it to the author of the provider.",
  ),
  OPEN_FAILED: entry(
    "OpenFailedError",
    "A provider was available but could not be opened.",
    "See the reason in the message.",
  ),
  SELF_TEST_FAILED: entry(
    "SelfTestFailedError",
    "A kernel of the device gave another result than the reference.",
    "Update the driver or the package; another backend is used meanwhile.",
  ),
  SOFTWARE_ADAPTER: entry(
    "SoftwareAdapterError",
    "The adapter renders in software, far slower than the CPU backend.",
    "Name the backend explicitly or pass allowSoftwareGpu: true.",
  ),
  PACKAGE_NOT_INSTALLED: entry(
    "PackageNotInstalledError",
    "The package of this backend is not installed.",
    "Install the package named in the message.",
  ),
  // Native libraries
  LIBRARY_NOT_FOUND: entry(
    "LibraryNotFoundError",
    "The native library of a backend is not where it would be.",
    "Build it, or install the package that brings it for this platform.",
  ),
  LIBRARY_PATH_REFUSED: entry(
    "LibraryPathRefusedError",
    "A native library was not loaded because of where it lies.",
    "Name absolute folders in HALFBYTE_LIBRARY_PATH that other users cannot write to.",
  ),
  LIBRARY_LOAD_FAILED: entry(
    "LibraryLoadFailedError",
    "The system's loader refused a native library.",
    "Build it again on this machine: it is damaged, or made for another system.",
  ),
  LIBRARY_ABI_MISMATCH: entry(
    "LibraryAbiMismatchError",
    "A native library has another interface than this package.",
    "Build the library again, from the version of the package that loads it.",
  ),
  LIBRARY_WRONG_KIND: entry(
    "LibraryWrongKindError",
    "A file is not a halfbyte library, or belongs to another backend.",
    "Remove it from the folder, and build the right one.",
  ),
  LIBRARY_MANIFEST_INVALID: entry(
    "LibraryManifestInvalidError",
    "The manifest that belongs beside a native library is missing, unreadable or does not name it.",
    "Build the library again with its own script, or install its package again.",
  ),
  LIBRARY_CHANGED: entry(
    "LibraryChangedError",
    "A native library is not the file that its manifest describes.",
    "Build it again, or install its package again; until then it is not loaded.",
  ),
  LIBRARY_CRASHED: entry(
    "LibraryCrashedError",
    "A native library ended the process that tried it.",
    "Build it again on this machine, and report it with the message if it still crashes.",
  ),
  LIBRARY_HUNG: entry(
    "LibraryHungError",
    "A native library gave no answer to the process that tried it.",
    "Try again on an idle machine, and report it with the message if it still hangs.",
  ),
  LIBRARY_WRONG_ANSWER: entry(
    "LibraryWrongAnswerError",
    "A native library computed something else than the reference.",
    "Build it again, and report it with the message if it still happens.",
  ),
  PROBE_UNAVAILABLE: entry(
    "ProbeUnavailableError",
    "No process can be started here to try a native library in.",
    "Run the program with Node or Electron, outside a single-file build, and allow it to start processes.",
  ),
  STORE_DAMAGED: entry(
    "StoreDamagedError",
    "The record of which libraries of the user's store are in use cannot be read; none of them is loaded.",
    "Put a build in use again (`halfbyte libs use <id>`), or go back to the record before it: `halfbyte libs rollback`.",
  ),
  STORE_NOTHING_EARLIER: entry(
    "StoreNothingEarlierError",
    "There is nothing earlier to go back to: no library of the user's store was put in use before.",
    "Look at what there is with `halfbyte libs`.",
  ),
  STORE_BUILD_UNKNOWN: entry(
    "StoreBuildUnknownError",
    "The user's store has no such build, or several that the name fits.",
    "Name one of the builds in the message; `halfbyte libs build <version>` makes one.",
  ),
  LIBRARY_SOURCES_MISSING: entry(
    "LibrarySourcesMissingError",
    "A library cannot be built here: the sources of the CUDA kernels are not part of this installation.",
    "Build it in a clone of the repository: `pnpm halfbyte libs build <version>`; the store of a user is the same for every project.",
  ),
  LIBRARY_BUILD_FAILED: entry(
    "LibraryBuildFailedError",
    "The build of a native library failed, or its toolkit was not found.",
    "Read what the build said above; `halfbyte doctor` lists the toolkits that were found.",
  ),
  // CUDA: which library, which driver
  OVERRIDE_INVALID: entry(
    "OverrideInvalidError",
    "HALFBYTE_CUDA_VERSION, HALFBYTE_ROCM_VERSION or its BNB_ name is not a version in digits, or is empty.",
    "Set it to digits such as 124 for CUDA 12.4, or unset it.",
  ),
  OVERRIDE_NOT_FOUND: entry(
    "OverrideNotFoundError",
    "The override asks for a library that is not installed; there is no fallback from an override.",
    "Set it to one of the versions named in the message, unset it, or build that one: `halfbyte libs build <version>`.",
  ),
  CUDA_PLATFORM_UNSUPPORTED: entry(
    "CudaPlatformUnsupportedError",
    "There is no CUDA on this platform.",
    "Use the webgpu or cpu backend.",
  ),
  CUDA_NO_DRIVER: entry(
    "CudaNoDriverError",
    "There is no NVIDIA driver: libcuda was not found.",
    "Install the NVIDIA driver; in a container start it with GPUs (`docker run --gpus all`) and the capability `compute`.",
  ),
  CUDA_NO_DEVICE: entry(
    "CudaNoDeviceError",
    "The driver sees no GPU (CUDA error 100).",
    "Check CUDA_VISIBLE_DEVICES and NVIDIA_VISIBLE_DEVICES; `nvidia-smi -L` lists the GPUs.",
  ),
  CUDA_DRIVER_TOO_OLD: entry(
    "CudaDriverTooOldError",
    "The driver's CUDA major is older than the library's (CUDA errors 35 and 36).",
    "Update the driver to the one named in the message, or use a library of an older CUDA major.",
  ),
  CUDA_DRIVER_MISMATCH: entry(
    "CudaDriverMismatchError",
    "libcuda and the kernel driver are of different versions (CUDA error 803), mostly after an update or through an old cuda-compat package.",
    "Restart the machine after a driver update; in a container remove cuda-compat-* or use a newer base image.",
  ),
  CUDA_FORWARD_COMPAT: entry(
    "CudaForwardCompatError",
    "A cuda-compat libcuda is in use, which this GPU does not support (CUDA error 804).",
    "Take the cuda-compat folder out of LD_LIBRARY_PATH, or uninstall cuda-compat-*: only data-center GPUs support it.",
  ),
  CUDA_STUB_DRIVER: entry(
    "CudaStubDriverError",
    "The libcuda found is the toolkit's stub for linking, not a driver (CUDA error 34).",
    "Take the toolkit's lib64/stubs folder out of LD_LIBRARY_PATH.",
  ),
  CUDA_DEVICE_BUSY: entry(
    "CudaDeviceBusyError",
    "Another process holds the GPU exclusively (CUDA error 46).",
    "Wait for it, choose another GPU with CUDA_VISIBLE_DEVICES, or set the compute mode to default: `nvidia-smi -c 0`.",
  ),
  CUDA_NOT_READY: entry(
    "CudaNotReadyError",
    "The system is not ready for CUDA yet (CUDA error 802): on NVSwitch machines the fabric manager does not run.",
    "Start nvidia-fabricmanager of the driver's version, then try again.",
  ),
  CUDA_VERSION_MISMATCH: entry(
    "CudaVersionMismatchError",
    "A library that takes its runtime from the process is of another CUDA major than the process.",
    "Use a library of that major, or one that is linked statically.",
  ),
  CUDA_NO_CODE_FOR_GPU: entry(
    "CudaNoCodeForGpuError",
    "The library has no machine code and no usable PTX for a GPU (CUDA error 209, no kernel image).",
    "Use a library of another CUDA version, build one for this GPU (`halfbyte libs build <version>`), or hide the GPU with CUDA_VISIBLE_DEVICES.",
  ),
  CUDA_PTX_TOO_NEW: entry(
    "CudaPtxTooNewError",
    "The GPU needs the library's PTX, which is newer than the driver can compile (CUDA error 222).",
    "Update the driver, or use a library of an older CUDA version.",
  ),
  CUDA_JIT_UNAVAILABLE: entry(
    "CudaJitUnavailableError",
    "The driver cannot compile PTX: its compiler library is missing, or the PTX is invalid (CUDA errors 218 and 221).",
    "Install the whole driver (libnvidia-ptxjitcompiler), or use a library with machine code for this GPU.",
  ),
  CUDA_KERNEL_IMAGE_INVALID: entry(
    "CudaKernelImageInvalidError",
    "The driver cannot read the library's code (CUDA error 200), mostly because it was compressed in a way newer than the driver.",
    "Update the driver, or build the library with --compress-mode=default.",
  ),
  CUDA_NO_LIBRARY_FITS: entry(
    "CudaNoLibraryFitsError",
    "Every installed CUDA library was refused, for different reasons.",
    "Read the reasons in the message; `halfbyte doctor` shows them beside what was detected.",
  ),
  CUDA_FAILED: entry(
    "CudaFailedError",
    "CUDA failed with an error that has no code of its own here.",
    "Look at the CUDA error number in the message and at the kernel log (`dmesg | grep NVRM`).",
  ),
  NVML_NOT_FOUND: entry(
    "NvmlNotFoundError",
    "The driver's management library (libnvidia-ml.so.1, nvml.dll) is not on this system.",
    "Install the whole driver; in a container give it the capability `utility` (NVIDIA_DRIVER_CAPABILITIES=compute,utility).",
  ),
  NVML_FAILED: entry(
    "NvmlFailedError",
    "The driver's management library answers with an error that has no code of its own here, or not in time.",
    "Look at the NVML error number in the message and at the kernel log (`dmesg | grep NVRM`).",
  ),
  GPU_LOST: entry(
    "GpuLostError",
    "The driver has lost contact with a GPU (NVML errors 15 and 16).",
    "Look at the kernel log (`dmesg | grep NVRM`), reset the GPU (`nvidia-smi --gpu-reset`) or restart the machine.",
  ),
  LIBRARY_DEPENDENCY_MISSING: entry(
    "LibraryDependencyMissingError",
    "A shared library that a native library needs is not on this system.",
    "Install the package that brings the library named in the message, or use a library that does not need it.",
  ),
  LIBRARY_WRONG_ARCHITECTURE: entry(
    "LibraryWrongArchitectureError",
    "A native library is made for another platform or processor.",
    "Install the package for this platform, or build the library here.",
  ),
  LIBC_MUSL: entry(
    "LibcMuslError",
    "A native library and this system have different C libraries: glibc, and musl (Alpine).",
    "Use an image with glibc, such as Debian's; the cpu backend runs in WebAssembly here.",
  ),
  GLIBC_TOO_OLD: entry(
    "GlibcTooOldError",
    "A native library needs a newer glibc than this system has.",
    "Use a newer distribution, or build the library here.",
  ),
  // safetensors container
  HEADER_TRUNCATED: entry("HeaderTruncatedError", "The file ends before its header does.", "Download the file again."),
  HEADER_TOO_LARGE: entry(
    "HeaderTooLargeError",
    "The header claims more than 100 MB.",
    "The file is corrupt or not a safetensors file.",
  ),
  HEADER_NOT_UTF8: entry(
    "HeaderNotUtf8Error",
    "The header is not valid UTF-8.",
    "The file is corrupt or not a safetensors file.",
  ),
  HEADER_NOT_JSON: entry(
    "HeaderNotJsonError",
    "The header is not a JSON object.",
    "The file is corrupt or not a safetensors file.",
  ),
  HEADER_DUPLICATE_KEY: entry(
    "HeaderDuplicateKeyError",
    "The header names a tensor or field twice.",
    "Write the file again with unique names.",
  ),
  HEADER_ENTRY_INVALID: entry(
    "HeaderEntryInvalidError",
    "A tensor's entry lacks a field or has one of another type.",
    "Write the file again; each entry has dtype, shape and data_offsets.",
  ),
  METADATA_INVALID: entry(
    "MetadataInvalidError",
    "`__metadata__` is not an object of strings.",
    "Write the file again with string values only.",
  ),
  UNKNOWN_DTYPE: entry(
    "UnknownDtypeError",
    "A tensor has a dtype the container does not define.",
    "Convert the tensor to a dtype named in the message.",
  ),
  TENSOR_SHAPE_INVALID: entry(
    "TensorShapeInvalidError",
    "A dimension is negative, fractional or not a number.",
    "Write the file again with non-negative integer dimensions.",
  ),
  TENSOR_SHAPE_OVERFLOW: entry(
    "TensorShapeOverflowError",
    "The shape's size exceeds 2^53 - 1 bytes.",
    "The file is corrupt.",
  ),
  OFFSETS_INVALID: entry(
    "OffsetsInvalidError",
    "data_offsets is not a pair begin <= end of non-negative integers.",
    "The file is corrupt.",
  ),
  OFFSETS_OUT_OF_RANGE: entry(
    "OffsetsOutOfRangeError",
    "A tensor ends after the end of the file.",
    "The file is truncated: download it again.",
  ),
  BYTE_COUNT_MISMATCH: entry(
    "ByteCountMismatchError",
    "data_offsets span another number of bytes than dtype and shape need.",
    "The file is corrupt.",
  ),
  TENSORS_OVERLAP: entry("TensorsOverlapError", "Two tensors share bytes.", "The file is corrupt or hostile."),
  TENSORS_GAP: entry(
    "TensorsGapError",
    "Bytes of the data section belong to no tensor.",
    "The file is corrupt or hides data.",
  ),
  // Checkpoints
  INDEX_INVALID: entry(
    "IndexInvalidError",
    "model.safetensors.index.json is not a valid index.",
    "Write the index again; `weight_map` maps tensor names to shard files.",
  ),
  SHARD_NAME_UNSAFE: entry(
    "ShardNameUnsafeError",
    "A shard name would leave the checkpoint's folder.",
    "Shard names are plain file names.",
  ),
  SHARD_MISSING: entry(
    "ShardMissingError",
    "A shard that the index names does not exist.",
    "Download the missing file.",
  ),
  TENSOR_NOT_FOUND: entry(
    "TensorNotFoundError",
    "The checkpoint has no tensor of this name.",
    "List the names with `halfbyte inspect`.",
  ),
  DUPLICATE_TENSOR: entry(
    "DuplicateTensorError",
    "Two shards hold a tensor of the same name.",
    "Remove the stale shard file.",
  ),
  CONFIG_INVALID: entry(
    "ConfigInvalidError",
    "config.json is not a JSON object or its quantization_config is unusable.",
    "Repair config.json.",
  ),
  QUANT_STATE_INVALID: entry(
    "QuantStateInvalidError",
    "A quant_state is not the JSON bitsandbytes writes.",
    "Quantize the model again.",
  ),
  QUANT_STATE_INCONSISTENT: entry(
    "QuantStateInconsistentError",
    "A quant_state contradicts the tensors beside it.",
    "Quantize the model again.",
  ),
  SIDE_TENSOR_MISSING: entry(
    "SideTensorMissingError",
    "A quantized weight lacks one of its side tensors.",
    "Download the checkpoint again, or quantize the model again.",
  ),
  SIDE_TENSOR_MISMATCH: entry(
    "SideTensorMismatchError",
    "A side tensor has another dtype or size than the weight needs.",
    "Quantize the model again.",
  ),
  ALREADY_QUANTIZED: entry(
    "AlreadyQuantizedError",
    "The input checkpoint is quantized already.",
    "Run `halfbyte dequantize` first, or start from the original weights.",
  ),
  NOT_QUANTIZED: entry(
    "NotQuantizedError",
    "The input holds no quantized weight.",
    "Check that this is a bitsandbytes checkpoint.",
  ),
  NOTHING_TO_QUANTIZE: entry(
    "NothingToQuantizeError",
    "No tensor of the input would be quantized.",
    "Look at `--dry-run`, which names the reason for every tensor.",
  ),
  // Files
  INPUT_NOT_FOUND: entry(
    "InputNotFoundError",
    "The input does not exist or holds no safetensors file.",
    "Check the path.",
  ),
  READ_FAILED: entry(
    "ReadFailedError",
    "Reading a file failed or returned too few bytes.",
    "Check the medium or the connection and try again.",
  ),
  RANGE_NOT_SUPPORTED: entry(
    "RangeNotSupportedError",
    "The server does not answer HTTP range requests.",
    "Download the file first.",
  ),
  OUTPUT_EXISTS: entry("OutputExistsError", "The destination exists.", "Choose another destination or pass --force."),
  DESTINATION_NOT_WRITABLE: entry(
    "DestinationNotWritableError",
    "The destination cannot be written.",
    "Check the permissions of its folder.",
  ),
  DESTINATION_FULL: entry(
    "DestinationFullError",
    "The destination's device is full.",
    "Free some space; nothing was left behind.",
  ),
  WRITE_FAILED: entry("WriteFailedError", "Writing a file failed.", "See the cause; nothing was left behind."),
  // Serving
  ADDRESS_IN_USE: entry(
    "AddressInUseError",
    "Another program listens on this address and port.",
    "Choose another port, or 0 for one that is free.",
  ),
  LISTEN_FAILED: entry(
    "ListenFailedError",
    "The system does not let this program listen on this address and port.",
    "Listen on an address of this machine and a port from 1024 on: 127.0.0.1:9400.",
  ),
  VECTORS_NOT_FOUND: entry(
    "VectorsNotFoundError",
    "The folder holds no golden vectors.",
    "Pass a folder in the golden format with --vectors.",
  ),
  VECTORS_INVALID: entry(
    "VectorsInvalidError",
    "A golden side-car names an operation, output or tensor that cannot be judged.",
    "Use vectors made by golden/generate.py.",
  ),
} as const satisfies Record<string, CatalogueEntry>;
