// Included before every kernel source that is compiled to PTX: the kernel's entry, and what stands
// for the functions of libm. The headers of csrc/sim/msl are the same ones.
#pragma once
#pragma GCC system_header
#include <mpsops_binding.h>
#include <mpsops_passing.h>

#define MPSOPS_UNCHECKED
#define MPSOPS_HERE \
  ::mpsops_msl::Site {}

namespace mpsops_msl {

static inline Extent unflatten(unsigned index, Extent size) {
  const unsigned rows = index / size.x;
  return Extent{index - rows * size.x, rows % size.y, rows / size.y};
}
static inline unsigned least(unsigned a, unsigned b) {
  return a < b ? a : b;
}

extern "C" __attribute__((address_space(3))) char mpsops_arena[];

// A kernel's parameter of type T with attribute A, as a parameter of its entry in the PTX: the
// driver copies all of them when it launches, so that no argument needs memory of the device.
struct Nothing {};
template <class T, class A>
struct Argument {
  typedef Nothing Passed;
  static constexpr Passing passing = {Passing::kNothing, 0, sizeof(Nothing)};
  static T get(const Launch& launch, const Thread& self, const Nothing&) {
    return Bind<T, A>::get(launch, self);
  }
};
template <class T, unsigned N>
struct Argument<T*, Buffer<N>> {
  typedef T* Passed;
  static constexpr Passing passing = {Passing::kAddress, N, sizeof(T*)};
  static T* get(const Launch&, const Thread&, T* const& passed) { return passed; }
};
template <class T, unsigned N>
struct Argument<T&, Buffer<N>> {
  typedef T* Passed;
  static constexpr Passing passing = {Passing::kAddress, N, sizeof(T*)};
  static T& get(const Launch&, const Thread&, T* const& passed) { return *passed; }
};
template <class T, unsigned N>
struct Argument<const T&, Buffer<N>> {
  typedef T Passed;
  static constexpr Passing passing = {Passing::kValue, N, sizeof(T)};
  static const T& get(const Launch&, const Thread&, const T& passed) { return passed; }
};
// A parameter that exists on a condition (mpsops_binding.h, where it has one).
template <bool Exists, class Attribute>
struct When;
template <class T, class A>
struct Argument<T, When<true, A>> : Argument<T, A> {};

// Blocks and grid are launched flat. Groups at the edge of a grid may be smaller, as in Metal, and
// number their threads by their own size, so that lanes are neighbours.
template <class F, F function, class... A>
struct Binder;
template <class... T, void (*function)(T...), class... A>
struct Binder<void (*)(T...), function, A...> {
  template <unsigned I>
  using Passed = __type_pack_element<I, typename Argument<T, A>::Passed...>;

  struct Passings {
    Passing of[sizeof...(T)];
  };
  static constexpr Passings passings = {{Argument<T, A>::passing...}};

  __attribute__((always_inline)) static void run(const Launch& launch,
                                                 const typename Argument<T, A>::Passed&... passed) {
    Thread self = {};
    // Most grids are lines, and divisions take time.
    const unsigned block = __nvvm_read_ptx_sreg_ctaid_x();
    self.group = launch.groups.y * launch.groups.z == 1 ? Extent{block, 0, 0}
                                                        : unflatten(block, launch.groups);
    const Extent first =
        Extent{self.group.x * launch.group_size.x, self.group.y * launch.group_size.y,
               self.group.z * launch.group_size.z};
    self.group_size = Extent{least(launch.group_size.x, launch.grid.x - first.x),
                             least(launch.group_size.y, launch.grid.y - first.y),
                             least(launch.group_size.z, launch.grid.z - first.z)};
    self.index = __nvvm_read_ptx_sreg_tid_x();
    if (self.index >= volume(self.group_size)) return;
    self.position = unflatten(self.index, self.group_size);
    self.in_grid =
        Extent{first.x + self.position.x, first.y + self.position.y, first.z + self.position.z};
    self.arena = (char*)mpsops_arena;
    // A call would need its arguments in memory, and ptxas fails on some for sm_90.
    [[clang::always_inline]] function(Argument<T, A>::get(launch, self, passed)...);
  }
};

}  // namespace mpsops_msl

// libdevice's functions, to which clang does not turn the builtins of metal_math itself.
#define MPSOPS_LIBDEVICE_1(name)          \
  extern "C" float __nv_##name##f(float); \
  extern "C" double __nv_##name(double);
#define MPSOPS_LIBDEVICE_2(name)                 \
  extern "C" float __nv_##name##f(float, float); \
  extern "C" double __nv_##name(double, double);
MPSOPS_LIBDEVICE_1(acos)
MPSOPS_LIBDEVICE_1(acosh)
MPSOPS_LIBDEVICE_1(asin)
MPSOPS_LIBDEVICE_1(asinh)
MPSOPS_LIBDEVICE_1(atan)
MPSOPS_LIBDEVICE_1(atanh)
MPSOPS_LIBDEVICE_1(cos)
MPSOPS_LIBDEVICE_1(cosh)
MPSOPS_LIBDEVICE_1(exp)
MPSOPS_LIBDEVICE_1(exp2)
MPSOPS_LIBDEVICE_1(expm1)
MPSOPS_LIBDEVICE_1(log)
MPSOPS_LIBDEVICE_1(log10)
MPSOPS_LIBDEVICE_1(log1p)
MPSOPS_LIBDEVICE_1(log2)
MPSOPS_LIBDEVICE_1(sin)
MPSOPS_LIBDEVICE_1(sinh)
MPSOPS_LIBDEVICE_1(tan)
MPSOPS_LIBDEVICE_1(tanh)
MPSOPS_LIBDEVICE_1(round)
MPSOPS_LIBDEVICE_2(atan2)
MPSOPS_LIBDEVICE_2(fdim)
MPSOPS_LIBDEVICE_2(fmod)
MPSOPS_LIBDEVICE_2(nextafter)
MPSOPS_LIBDEVICE_2(pow)
#undef MPSOPS_LIBDEVICE_1
#undef MPSOPS_LIBDEVICE_2
extern "C" float __nv_frexpf(float, int*);
extern "C" float __nv_ldexpf(float, int);
extern "C" double __nv_ldexp(double, int);
extern "C" int __nv_ilogbf(float);

#define __builtin_acos __nv_acos
#define __builtin_acosh __nv_acosh
#define __builtin_asin __nv_asin
#define __builtin_asinh __nv_asinh
#define __builtin_atan __nv_atan
#define __builtin_atanh __nv_atanh
#define __builtin_cosf __nv_cosf
#define __builtin_cosh __nv_cosh
#define __builtin_expf __nv_expf
#define __builtin_exp2f __nv_exp2f
#define __builtin_logf __nv_logf
#define __builtin_log2f __nv_log2f
#define __builtin_log10 __nv_log10
#define __builtin_roundf __nv_roundf
#define __builtin_sin __nv_sin
#define __builtin_sinf __nv_sinf
#define __builtin_sinh __nv_sinh
#define __builtin_tan __nv_tan
#define __builtin_tanh __nv_tanh
#define __builtin_pow __nv_pow
#define __builtin_powf __nv_powf
#define __builtin_atan2f __nv_atan2f
#define __builtin_fdimf __nv_fdimf
#define __builtin_fmodf __nv_fmodf
#define __builtin_frexpf __nv_frexpf
#define __builtin_ldexp __nv_ldexp
#define __builtin_ldexpf __nv_ldexpf
#define __builtin_ilogbf __nv_ilogbf
#define __builtin_nextafterf __nv_nextafterf
