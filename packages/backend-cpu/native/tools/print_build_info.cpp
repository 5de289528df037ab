// Prints the build info that the library will give.
#include <cstdio>

#include "halfbyte.h"

int main() { return std::puts(hb_build_info()) < 0; }
