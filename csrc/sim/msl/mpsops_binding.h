// What the parameters of a kernel are, and where their arguments come from: for the binders that
// the translator instantiates, on every target.
#pragma once
#pragma GCC system_header
#include <mpsops_abi.h>
#include <mpsops_c_cast.h>
#include <mpsops_memory_order.h>
#include <metal_config>
#include <metal_type_traits>

namespace mpsops_msl {

// Attributes of kernel parameters.
template <unsigned N>
struct Buffer {};
template <unsigned N>
struct Threadgroup {};
// The parameter exists if the function constant is true.
template <bool Exists, class Attribute>
struct When {};
struct thread_position_in_grid {};
struct threadgroup_position_in_grid {};
struct thread_position_in_threadgroup {};
struct threads_per_threadgroup {};
struct dispatch_threads_per_threadgroup {};
struct threadgroups_per_grid {};
struct threads_per_grid {};
struct thread_index_in_threadgroup {};
struct thread_index_in_simdgroup {};
struct thread_index_in_quadgroup {};
struct simdgroup_index_in_threadgroup {};
struct quadgroup_index_in_threadgroup {};
struct threads_per_simdgroup {};
struct thread_execution_width {};
struct simdgroups_per_threadgroup {};
struct dispatch_simdgroups_per_threadgroup {};
struct quadgroups_per_threadgroup {};
struct dispatch_quadgroups_per_threadgroup {};
struct grid_origin {};
struct grid_size {};

constexpr Extent required(unsigned x, unsigned y = 1, unsigned z = 1) {
  return Extent{x, y, z};
}
static inline unsigned volume(Extent e) {
  return e.x * e.y * e.z;
}
static inline unsigned simdgroups(Extent e) {
  return (volume(e) + 31) / 32;
}
static inline unsigned quadgroups(Extent e) {
  return (volume(e) + 3) / 4;
}

#define MPSOPS_BUILTIN(name, expression)                                       \
  static inline auto builtin(name, const Launch& launch, const Thread& self) { \
    (void)launch;                                                              \
    (void)self;                                                                \
    return expression;                                                         \
  }
MPSOPS_BUILTIN(thread_position_in_grid, self.in_grid)
MPSOPS_BUILTIN(threadgroup_position_in_grid, self.group)
MPSOPS_BUILTIN(thread_position_in_threadgroup, self.position)
MPSOPS_BUILTIN(threads_per_threadgroup, self.group_size)
MPSOPS_BUILTIN(dispatch_threads_per_threadgroup, launch.group_size)
MPSOPS_BUILTIN(threadgroups_per_grid, launch.groups)
MPSOPS_BUILTIN(threads_per_grid, launch.grid)
MPSOPS_BUILTIN(grid_size, launch.grid)
MPSOPS_BUILTIN(grid_origin, (Extent{0, 0, 0}))
MPSOPS_BUILTIN(thread_index_in_threadgroup, self.index)
MPSOPS_BUILTIN(thread_index_in_simdgroup, self.index % 32)
MPSOPS_BUILTIN(thread_index_in_quadgroup, self.index % 4)
MPSOPS_BUILTIN(simdgroup_index_in_threadgroup, self.index / 32)
MPSOPS_BUILTIN(quadgroup_index_in_threadgroup, self.index / 4)
MPSOPS_BUILTIN(threads_per_simdgroup, 32u)
MPSOPS_BUILTIN(thread_execution_width, 32u)
MPSOPS_BUILTIN(simdgroups_per_threadgroup, simdgroups(self.group_size))
MPSOPS_BUILTIN(dispatch_simdgroups_per_threadgroup, simdgroups(launch.group_size))
MPSOPS_BUILTIN(quadgroups_per_threadgroup, quadgroups(self.group_size))
MPSOPS_BUILTIN(dispatch_quadgroups_per_threadgroup, quadgroups(launch.group_size))
#undef MPSOPS_BUILTIN

// A position as the uint, ushort, vector of them, that the kernel asks for.
template <class T, int N = VectorOf<T>::is_vector ? VectorOf<T>::size : 0>
struct PositionAs;
template <class T>
struct PositionAs<T, 0> {
  static_assert(::metal::is_unsigned_v<T> && sizeof(T) <= 4, "built-ins are uint or ushort");
  static T get(Extent e) { return T(e.x); }
  static T get(unsigned i) { return T(i); }
};
template <class T>
struct PositionAs<T, 2> {
  typedef typename VectorOf<T>::element E;
  static T get(Extent e) { return T{E(e.x), E(e.y)}; }
};
template <class T>
struct PositionAs<T, 3> {
  typedef typename VectorOf<T>::element E;
  static T get(Extent e) { return T{E(e.x), E(e.y), E(e.z)}; }
};

template <class P>
struct ElementSize {
  enum { value = sizeof(P) };
};
template <>
struct ElementSize<void> {
  enum { value = 1 };
};
template <>
struct ElementSize<const void> {
  enum { value = 1 };
};

// How the argument of a parameter of type T with attribute A is found.
template <class T, class A>
struct Bind {
  static T get(const Launch& launch, const Thread& self) {
    return PositionAs<::metal::remove_cv_t<T>>::get(builtin(A(), launch, self));
  }
  static constexpr Parameter describe(const char* name) {
    return Parameter{Parameter::kBuiltin, true, false, 0, sizeof(T), name};
  }
};
template <class T, class A>
struct Bind<T, When<true, A>> : Bind<T, A> {};
template <class T>
struct Absent {
  static T get() { return T(); }
};
template <class T>
struct Absent<T&> {
  static T& get() { return *static_cast<T*>(nullptr); }
};
template <class T, class A>
struct Bind<T, When<false, A>> {
  static T get(const Launch&, const Thread&) { return Absent<T>::get(); }
  static constexpr Parameter describe(const char* name) {
    return Parameter{Parameter::kAbsent, true, false, 0, 0, name};
  }
};
template <class T, unsigned N>
struct Bind<T, Buffer<N>> {
  static_assert(
      sizeof(T) == 0,
      "a [[buffer(n)]] parameter must be a pointer or a reference: arrays of buffers are out "
      "of scope of the simulator");
};
template <class T, unsigned N>
struct Bind<T*, Buffer<N>> {
  static_assert(N < kMaxBuffers, "a kernel has at most 31 buffers");
  static T* get(const Launch& launch, const Thread&) { return static_cast<T*>(launch.buffers[N]); }
  static constexpr Parameter describe(const char* name) {
    return Parameter{
        Parameter::kBuffer, ::metal::is_const_v<T>, false, N, ElementSize<T>::value, name};
  }
};
template <class T, unsigned N>
struct Bind<T&, Buffer<N>> {
  static_assert(N < kMaxBuffers, "a kernel has at most 31 buffers");
  static T& get(const Launch& launch, const Thread&) { return *static_cast<T*>(launch.buffers[N]); }
  static constexpr Parameter describe(const char* name) {
    return Parameter{Parameter::kBuffer, ::metal::is_const_v<T>, true, N, sizeof(T), name};
  }
};
template <class T, unsigned N>
struct Bind<T*, Threadgroup<N>> {
  static_assert(N < kMaxThreadgroupArguments, "a kernel has at most 31 threadgroup arguments");
  static T* get(const Launch& launch, const Thread& self) {
    return reinterpret_cast<T*>(self.arena + launch.threadgroup_offsets[N]);
  }
  static constexpr Parameter describe(const char* name) {
    return Parameter{Parameter::kThreadgroup, false, false, N, ElementSize<T>::value, name};
  }
};
template <class T, unsigned N>
struct Bind<T&, Threadgroup<N>> {
  static T& get(const Launch& launch, const Thread& self) {
    return *reinterpret_cast<T*>(self.arena + launch.threadgroup_offsets[N]);
  }
  static constexpr Parameter describe(const char* name) {
    return Parameter{Parameter::kThreadgroup, false, true, N, sizeof(T), name};
  }
};

template <class F, class... A>
struct Parameters;
template <class... T, class... A>
struct Parameters<void (*)(T...), A...> {
  static_assert(sizeof...(T) == sizeof...(A), "as many attributes as parameters");
  Parameter rows[sizeof...(T) + 1];
  template <class... Name>
  constexpr explicit Parameters(Name... names) : rows{Bind<T, A>::describe(names)...} {}
};

}  // namespace mpsops_msl
