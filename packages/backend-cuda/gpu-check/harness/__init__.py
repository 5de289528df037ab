"""Golden vectors against a library of halfbyte.h, through its C interface alone: Python with numpy, and nothing of JavaScript."""
