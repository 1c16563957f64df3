// Included before every kernel source that is compiled to PTX: the kernel's entry, and what stands
// for the functions of libm. The headers of csrc/sim/msl are the same ones.
#pragma once
#pragma GCC system_header
#include <mpsops_binding.h>

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

// Blocks and grid are launched flat. Groups at the edge of a grid may be smaller, as in Metal, and
// number their threads by their own size, so that lanes are neighbours.
template <class F, F function, class... A>
struct Binder;
template <class... T, void (*function)(T...), class... A>
struct Binder<void (*)(T...), function, A...> {
  static inline void run(const Launch& launch) {
    Thread self = {};
    self.group = unflatten(__nvvm_read_ptx_sreg_ctaid_x(), launch.groups);
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
    function(Bind<T, A>::get(launch, self)...);
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
