/* A libnvidia-ml that says what its environment names: STUB_NVML_COUNT GPUs, STUB_NVML_INIT, STUB_NVML_LOST (an index),
 * STUB_NVML_DRIVER, STUB_NVML_CUDA, STUB_NVML_BARE (tells no figures), STUB_NVML_SLOW_MS (every call takes as long),
 * STUB_NVML_CRASH (at the count). */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, GPU_IS_LOST = 15 };

static int started;

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? atol(text) : otherwise;
}

static int answer(int status) {
  usleep((useconds_t)number("STUB_NVML_SLOW_MS", 0) * 1000);
  return started ? status : UNINITIALIZED;
}

static int copy(const char *from, char *to, uint32_t length) {
  snprintf(to, length, "%s", from);
  return answer(SUCCESS);
}

/* Handles are no small numbers, so that one that lost its upper half shows. */
static const uintptr_t first = 0x7f5a00001000u;
static long index_of(uintptr_t device) { return (long)((device - first) / 16); }
static int is_lost(uintptr_t device) { return index_of(device) == number("STUB_NVML_LOST", -1); }
static int figure(uintptr_t device) {
  return answer(is_lost(device) ? GPU_IS_LOST : number("STUB_NVML_BARE", 0) ? NOT_SUPPORTED : SUCCESS);
}

int nvmlInit_v2(void) {
  int status = (int)number("STUB_NVML_INIT", SUCCESS);
  started = status == SUCCESS;
  return status;
}

int nvmlShutdown(void) {
  int status = answer(SUCCESS);
  started = 0;
  return status;
}

int nvmlSystemGetDriverVersion(char *text, uint32_t length) {
  const char *driver = getenv("STUB_NVML_DRIVER");
  return copy(driver ? driver : "550.54.14", text, length);
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
  *version = (int)number("STUB_NVML_CUDA", 12040);
  return answer(SUCCESS);
}

int nvmlDeviceGetCount_v2(uint32_t *count) {
  if (number("STUB_NVML_CRASH", 0)) raise(SIGSEGV);
  *count = (uint32_t)number("STUB_NVML_COUNT", 1);
  return answer(SUCCESS);
}

int nvmlDeviceGetHandleByIndex_v2(uint32_t index, void **device) {
  *device = (void *)(first + 16u * index);
  return answer((long)index < number("STUB_NVML_COUNT", 1) ? SUCCESS : INVALID_ARGUMENT);
}

int nvmlDeviceGetName(uintptr_t device, char *text, uint32_t length) {
  char name[64];
  snprintf(name, sizeof name, "Stub GPU %ld", index_of(device));
  return copy(name, text, length);
}

int nvmlDeviceGetUUID(uintptr_t device, char *text, uint32_t length) {
  char id[64];
  snprintf(id, sizeof id, "GPU-00000000-0000-0000-0000-%012ld", index_of(device));
  return copy(id, text, length);
}

int nvmlDeviceGetCudaComputeCapability(uintptr_t device, int *major, int *minor) {
  (void)device;
  *major = 8;
  *minor = 6;
  return answer(SUCCESS);
}

/* total, free, used */
int nvmlDeviceGetMemoryInfo(uintptr_t device, uint64_t *memory) {
  memory[0] = 24ull << 30;
  memory[1] = 18ull << 30;
  memory[2] = 6ull << 30;
  return figure(device);
}

int nvmlDeviceGetUtilizationRates(uintptr_t device, uint32_t *rates) {
  rates[0] = 42;
  rates[1] = 17;
  return figure(device);
}

int nvmlDeviceGetTemperature(uintptr_t device, uint32_t sensor, uint32_t *celsius) {
  *celsius = 55;
  return sensor == 0 ? figure(device) : INVALID_ARGUMENT;
}

int nvmlDeviceGetPowerUsage(uintptr_t device, uint32_t *milliwatts) {
  *milliwatts = 123500;
  return figure(device);
}
