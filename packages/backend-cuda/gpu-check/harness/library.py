"""A library of halfbyte.h, opened, with one queue: memory, calls and reads."""
import ctypes as c
import json

import numpy as np

from . import header
from .numbers import STORAGE, Elements, elements

NUMBER = header.constants()


class Unsupported(Exception):
    """What the library has no kernel for, or the device no memory."""


class Failed(Exception):
    """A call or an entry came to something else than HB_OK."""


class NoMemory(Failed):
    """The device lives, and has no more."""


class Library:
    def __init__(self, path, device=0):
        self.functions = c.CDLL(str(path))
        for name, (result, arguments) in header.functions().items():
            function = getattr(self.functions, name, None)
            if function is None:
                continue
            function.restype, function.argtypes = result, arguments
        self.info = json.loads(self.functions.hb_build_info())
        self.queue = c.c_void_p()
        self.checked("hb_queue_create", self.functions.hb_queue_create(device, 0, c.byref(self.queue)))
        self.kept = []

    def close(self):
        self.release()
        self.functions.hb_queue_destroy(self.queue)

    def checked(self, name, status):
        if status == NUMBER["HB_UNSUPPORTED"]:
            raise Unsupported(f"no kernel for {name}")
        if status != NUMBER["HB_OK"]:
            error = getattr(self.functions, "hb_last_error", lambda: 0)()
            raise Failed(f"{name}: status {status}, error {error} of the device")

    def has(self, operation):
        """Some functions a library may leave out."""
        return hasattr(self.functions, f"hb_{operation}")

    def call(self, operation, *arguments):
        """hb_<operation> on the queue; Elements are uploaded, addresses and numbers go as they are."""
        given = [self.upload(one) if isinstance(one, Elements) else one for one in arguments]
        self.checked(operation, getattr(self.functions, f"hb_{operation}")(self.queue, *given))

    def upload(self, stored):
        address = self.allocate(stored.data.nbytes)
        self.write(address, stored)
        return address

    def write(self, address, stored, offset=0):
        """offset in bytes."""
        data = np.ascontiguousarray(stored.data)
        self.checked("hb_write", self.functions.hb_write(self.queue, address, offset, data.ctypes.data, data.nbytes, 0))

    def allocate(self, size):
        address = self.functions.hb_alloc(self.queue, size, 1)
        if not address:
            # Null too when the device is lost: that is an error of its own.
            self.checked("hb_queue_wait", self.functions.hb_queue_wait(self.queue, 0))
            raise NoMemory(f"no memory for {size} bytes")
        self.kept.append(address)
        return address

    def output(self, dtype, count):
        return Output(self.allocate(count * STORAGE[dtype]().itemsize), dtype, count)

    def is_alive(self):
        """Whether the device still does what it is told: after some errors it never does again in this process."""
        try:
            return self.read_back(np.arange(16, dtype=np.int32))
        except Failed:
            return False
        finally:
            self.release()

    def read_back(self, data):
        output = self.output("int32", data.size)
        self.write(output.address, elements("int32", data))
        return bool(np.array_equal(self.read(output).data, data))

    def read(self, output, begin=0):
        """The elements from `begin` on."""
        data = np.empty(output.count - begin, dtype=STORAGE[output.dtype])
        given = (output.address, begin * data.itemsize, data.ctypes.data, data.nbytes)
        self.checked("hb_read", self.functions.hb_read(self.queue, *given))
        self.checked("hb_queue_wait", self.functions.hb_queue_wait(self.queue, self.functions.hb_queue_last(self.queue)))
        return elements(output.dtype, data)

    def release(self):
        """What a case took, given back."""
        for address in self.kept:
            self.functions.hb_free(self.queue, address)
        self.kept.clear()


class Output:
    """Memory of the device that an operation writes; passed to calls as its address."""

    def __init__(self, address, dtype, count):
        self.address, self.dtype, self.count = address, dtype, count
        self._as_parameter_ = c.c_void_p(address)
