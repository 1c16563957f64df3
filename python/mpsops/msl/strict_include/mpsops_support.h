// Takes the place of csrc/sim/msl/mpsops_support.h: nothing runs here.
#pragma once
#pragma GCC system_header
#define MPSOPS_IN(T) T
#include <metal_type_traits>
#include <mpsops_c_cast.h>

#define METAL_FUNC inline
// Not in the specification, but in Apple's headers, and in kernels that their compiler takes.
#define assert(condition) ((void)(condition))

namespace mpsops_msl {

// threadgroup T name[n]; of a kernel becomes a reference to this.
template <class T>
threadgroup T& threadgroup_variable();

// What a kernel may return, and where its pointers may lead.
template <class T>
struct Argument {
  enum { valid = 1 };
};
template <class T>
struct Argument<thread T*> {
  enum { valid = 0 };
};
template <class T>
struct Argument<thread T&> {
  enum { valid = 0 };
};
template <class F>
struct Signature {
  enum { is_void = 0, spaces = 1 };
};
template <class... T>
struct Signature<void(T...)> {
  enum { is_void = 1, spaces = (Argument<T>::valid && ... && true) };
};

}  // namespace mpsops_msl
