/* A libcuda that says what its environment names: STUB_DRIVER (12040 is CUDA 12.4), STUB_DRIVER_STATUS, STUB_CUINIT (a status),
 * STUB_COUNT GPUs, of capability STUB_CC (86 is 8.6), STUB_DO_IN_CUINIT (crash or hang), STUB_BARE (tells no name, memory, UUID). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_DEVICE = 101, NOT_SUPPORTED = 801 };
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

static int number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

static int told(void) { return number("STUB_BARE", 0) ? NOT_SUPPORTED : SUCCESS; }

int cuDriverGetVersion(int *version) {
  *version = number("STUB_DRIVER", 12040);
  return number("STUB_DRIVER_STATUS", SUCCESS);
}

int cuInit(unsigned flags) {
  const char *deed = getenv("STUB_DO_IN_CUINIT");
  if (deed && strcmp(deed, "crash") == 0) *(volatile int *)8 = (int)flags;
  while (deed && strcmp(deed, "hang") == 0) sleep(1);
  return number("STUB_CUINIT", SUCCESS);
}

int cuDeviceGetCount(int *count) {
  *count = number("STUB_COUNT", 1);
  return SUCCESS;
}

/* Handles are no indexes. */
int cuDeviceGet(int *device, int index) {
  *device = index + 100;
  return index < number("STUB_COUNT", 1) ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  int capability = number("STUB_CC", 86);
  *value = attribute == CAPABILITY_MAJOR ? capability / 10 : attribute == CAPABILITY_MINOR ? capability % 10 : -1;
  return device >= 100 ? SUCCESS : INVALID_DEVICE;
}

int cuDeviceGetName(char *text, int length, int device) {
  snprintf(text, (size_t)length, "Stub GPU %d", device - 100);
  return told();
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  *bytes = (size_t)24 << 30;
  return device >= 100 ? told() : INVALID_DEVICE;
}

int cuDeviceGetUuid(uint8_t *uuid, int device) {
  memset(uuid, 0x11, 16);
  uuid[15] = (uint8_t)device;
  return told();
}
