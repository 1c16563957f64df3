// What is no part of computing on buffers is declared, so that its use says what it is.
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

#define MPSOPS_OUT_OF_SCOPE(what) \
  __attribute__((unavailable("out of scope of the simulator: " what)))
