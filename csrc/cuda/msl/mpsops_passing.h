// How the parameters of a kernel reach it: told in a table beside each kernel in the PTX, which the
// host reads. Included by both sides: C++14, no headers.
#pragma once

namespace mpsops_msl {

struct Passing {
  enum Kind : unsigned char {
    kNothing,  // a built-in, threadgroup memory: the kernel finds it itself
    kAddress,  // of a buffer
    kValue,    // `constant T&`: the bytes of a T
  };
  Kind kind;
  unsigned char buffer;
  unsigned short size;
};

}  // namespace mpsops_msl
