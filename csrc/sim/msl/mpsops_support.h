// Included before every kernel source: the library's side of mpsops_abi.h, and the binders that the
// translator instantiates for each kernel.
#pragma once
#pragma GCC system_header
#include <metal_type_traits>

// What runs outside of a kernel's own self, or touches the simulator's memory.
#define MPSOPS_UNCHECKED __attribute__((no_sanitize("kernel-address")))
#define MPSOPS_INLINE static inline __attribute__((always_inline))
#define MPSOPS_HERE                                        \
  ::mpsops_msl::Site {                                     \
    __builtin_FILE(), __builtin_LINE(), __builtin_COLUMN() \
  }

#include <mpsops_elementary.h>

// Binders and hooks run on the simulator's behalf: unchecked, all of them.
#pragma clang attribute push(                                                                 \
    __attribute__((no_sanitize("kernel-address", "array-bounds", "integer-divide-by-zero"))), \
    apply_to = function)

#include <mpsops_binding.h>

namespace mpsops_msl {

static Runtime runtime;

extern "C" {
// Weak: a source may have no kernel, and no threadgroup variable.
extern const KernelRow __start_mpsops_kernels[] __attribute__((weak, visibility("hidden")));
extern const KernelRow __stop_mpsops_kernels[] __attribute__((weak, visibility("hidden")));
extern const ThreadgroupVariable __start_mpsops_threadgroup[]
    __attribute__((weak, visibility("hidden")));
extern const ThreadgroupVariable __stop_mpsops_threadgroup[]
    __attribute__((weak, visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
}
#ifdef MPSOPS_SIM_CHECKED
static constexpr bool kChecked = true;
#else
static constexpr bool kChecked = false;
#endif

extern "C"
    __attribute__((visibility("default"), used)) Library mpsops_attach(const Runtime* table) {
  runtime = *table;
  return Library{kAbiVersion,
                 kChecked,
                 __start_mpsops_kernels,
                 __stop_mpsops_kernels,
                 __start_mpsops_threadgroup,
                 __stop_mpsops_threadgroup,
                 __ehdr_start,
                 _end};
}

MPSOPS_INLINE unsigned long stack_pointer() {
#ifdef __x86_64__
  unsigned long value;
  // Volatile: cheaper found anew than kept on the stack while others run.
  asm volatile("movq %%rsp, %0" : "=r"(value));
  return value;
#else
  return (unsigned long)__builtin_frame_address(0);
#endif
}
MPSOPS_INLINE Group& group_of(unsigned long pointer) {
  return *reinterpret_cast<Group*>((pointer | ((unsigned long)kStackSize * kLanes - 1)) + 1);
}
MPSOPS_INLINE unsigned lane_of(unsigned long pointer) {
  return pointer / kStackSize % kLanes;
}

#if defined(__x86_64__) && !defined(MPSOPS_SIM_CHECKED)
#define MPSOPS_SWITCHES 1
// Nearly always the neighbour: the processor bets on that, and need not wait for what is stored.
// Null where there are no fibers.
MPSOPS_INLINE Lane* next_lane(Lane* lanes, unsigned index) {
  const unsigned next = lanes[index].next;
  Lane* after = &lanes[index + 1];
  if (__builtin_expect(next != index + 1, false)) {
    if (next == kNoLane) return nullptr;
    after = &lanes[next];
    asm volatile("" : "+r"(after));  // or clang sees that both are lanes[next]
  }
  return after;
}
// Inline, so that only registers in use are saved, and without a return, which the processor would
// predict to go to the thread that called last. Pushes: compiled without a red zone. A neighbour
// that waits in the same place is at the same depth of its stack, and goes on there: two branches
// that are foreseen, where loads would have to follow one another through all lanes.
MPSOPS_INLINE void switch_lanes(Lane* from, Lane* to) {
  asm volatile(
      R"(pushq %%rbp
      pushq %%rbx
      leaq 1f(%%rip), %%rax
      movq %%rsp, (%0)
      movq %%rax, 8(%0)
      leaq %c2(%%rsp), %%rcx
      cmpq (%1), %%rcx
      jne 2f
      movq %%rcx, %%rsp
      cmpq 8(%1), %%rax
      je 1f
      jmpq *8(%1)
      2:
      movq (%1), %%rsp
      jmpq *8(%1)
      1:
      popq %%rbx
      popq %%rbp)"
      : "+D"(from), "+S"(to)
      : "i"(kStackSize - kColour)
      : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "memory", "cc");
}
#endif

static inline __attribute__((always_inline, noreturn)) void finish() {
#ifdef MPSOPS_SWITCHES
  const unsigned long pointer = stack_pointer();
  Lane* lanes = group_of(pointer).lanes;
  const unsigned index = lane_of(pointer);
  lanes[index].state = State::kDone;
  switch_lanes(&lanes[index], next_lane(lanes, index));
#else
  runtime.finished();
#endif
  __builtin_unreachable();
}

// threadgroup T name[n]; of a kernel becomes a reference to this.
template <class T>
static inline T& threadgroup_variable(const void* tag, const char* name, Site site) {
#ifdef MPSOPS_SWITCHES
  const Group& group = group_of(stack_pointer());
  for (const KnownVariable& variable : group.variables) {
    if (variable.tag == tag) return *static_cast<T*>(variable.memory);
    if (variable.tag == nullptr) break;
  }
#endif
  return *static_cast<T*>(runtime.threadgroup_variable(tag, sizeof(T), alignof(T), name, site));
}

template <class F, F function, class... A>
struct Binder;
template <class... T, void (*function)(T...), class... A>
struct Binder<void (*)(T...), function, A...> {
  static void entry() {
    const unsigned long pointer = stack_pointer();
    const Group& group = group_of(pointer);
    const Thread self = thread_at(group.first, lane_of(pointer));
#ifdef MPSOPS_SIM_CHECKED
    // Not inlined: its accesses would go unchecked, as those of this function.
    function(Bind<T, A>::get(*group.launch, self)...);
#else
    [[clang::always_inline]] function(Bind<T, A>::get(*group.launch, self)...);
#endif
    finish();
  }

  static void loop(const Launch* launch_, unsigned long begin, unsigned long end,
                   const unsigned* order, Thread* current) {
    // A local copy: stores through the kernel's pointers cannot change it.
    const Launch launch = *launch_;
    Extent at = Extent{unsigned(begin % launch.groups.x),
                       unsigned(begin / launch.groups.x % launch.groups.y),
                       unsigned(begin / launch.groups.x / launch.groups.y)};
    for (unsigned long g = begin; g < end; ++g) {
      Thread self = {};
      self.group = at;
      // Counted on, not divided anew: a division would cost as much as the group.
      if (++at.x == launch.groups.x) {
        at.x = 0;
        if (++at.y == launch.groups.y) {
          at.y = 0;
          ++at.z;
        }
      }
      const Extent first =
          Extent{self.group.x * launch.group_size.x, self.group.y * launch.group_size.y,
                 self.group.z * launch.group_size.z};
      const Extent last = Extent{least(launch.group_size.x, launch.grid.x - first.x) + first.x,
                                 least(launch.group_size.y, launch.grid.y - first.y) + first.y,
                                 least(launch.group_size.z, launch.grid.z - first.z) + first.z};
      const Extent size = Extent{last.x - first.x, last.y - first.y, last.z - first.z};
      self.group_size = size;
      if (order != nullptr || kChecked) {
        const unsigned count = volume(launch.group_size);
        for (unsigned i = 0; i < count; ++i) {
          const unsigned n = order != nullptr ? order[i] : i;
          if (n >= volume(size)) continue;
          self.in_grid = first;
          const Thread each = thread_at(self, n);
          *current = each;
          function(Bind<T, A>::get(launch, each)...);
        }
      } else {
        for (unsigned z = first.z; z < last.z; ++z) {
          for (unsigned y = first.y; y < last.y; ++y) {
            const unsigned row = ((z - first.z) * size.y + (y - first.y)) * size.x;
            // Counted in the grid, so that clang sees that the index does not wrap, and vectorises.
            for (unsigned x = first.x; x < last.x; ++x) {
              Thread each = self;
              each.in_grid = Extent{x, y, z};
              each.position = Extent{x - first.x, y - first.y, z - first.z};
              each.index = row + (x - first.x);
              function(Bind<T, A>::get(launch, each)...);
            }
          }
        }
      }
    }
  }

 private:
  static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }
};

}  // namespace mpsops_msl

#ifdef MPSOPS_SIM_CHECKED
#include <mpsops_checks.h>
#endif

// Conversions that the compiler calls and the host may not have: libgcc 12 lacks those of bfloat.
namespace mpsops_msl {
static inline unsigned short half_bits(double value) {
  const unsigned long bits = __builtin_bit_cast(unsigned long, value);
  const unsigned short sign = (unsigned short)(bits >> 48 & 0x8000);
  const unsigned long magnitude = bits & 0x7fffffffffffffff;
  const double a = __builtin_bit_cast(double, magnitude);
  if (a != a) return sign | 0x7e00;
  if (a >= 65520.0) return sign | 0x7c00;
  // Subnormals are multiples of 2^-24; 2^52 added makes the unit in the last place 1.
  if (a < 0x1p-14) return sign | (unsigned short)(a * 0x1p24 + 0x1p52 - 0x1p52);
  const unsigned long rounded = (magnitude + 0x1ffffffffff + (magnitude >> 42 & 1)) >> 42;
  return sign | (unsigned short)(rounded - ((1023 - 15) << 10));
}
static inline unsigned short bfloat_bits(float value) {
  const unsigned bits = __builtin_bit_cast(unsigned, value);
  if ((bits & 0x7fffffff) > 0x7f800000) return (unsigned short)(bits >> 16 | 0x40);
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float half_value(unsigned short bits) {
  const unsigned magnitude = bits & 0x7fff;
  float a;
  if (magnitude >= 0x7c00) {
    a = __builtin_bit_cast(float, 0x7f800000 | (magnitude & 0x3ff) << 13);
  } else if (magnitude < 0x400) {
    a = float(magnitude) * 0x1p-24f;
  } else {
    a = __builtin_bit_cast(float, (magnitude << 13) + ((127u - 15) << 23));
  }
  return bits & 0x8000 ? -a : a;
}
}  // namespace mpsops_msl

#define MPSOPS_LIBCALL extern "C" __attribute__((visibility("hidden"), used))
MPSOPS_LIBCALL _Float16 __truncsfhf2(float value) {
  return __builtin_bit_cast(_Float16, mpsops_msl::half_bits(value));
}
MPSOPS_LIBCALL _Float16 __truncdfhf2(double value) {
  return __builtin_bit_cast(_Float16, mpsops_msl::half_bits(value));
}
MPSOPS_LIBCALL float __extendhfsf2(_Float16 value) {
  return mpsops_msl::half_value(__builtin_bit_cast(unsigned short, value));
}
MPSOPS_LIBCALL __bf16 __truncsfbf2(float value) {
  return __builtin_bit_cast(__bf16, mpsops_msl::bfloat_bits(value));
}
MPSOPS_LIBCALL __bf16 __truncdfbf2(double value) {
  // Round to odd first: the float keeps a sticky bit, so that rounding twice is harmless.
  float f = float(value);
  unsigned bits = __builtin_bit_cast(unsigned, f);
  if (double(f) != value && value == value && (bits & 1) == 0) {
    const bool away = __builtin_fabs(double(f)) > __builtin_fabs(value);
    bits = away ? bits - 1 : bits + 1;
  }
  return __builtin_bit_cast(__bf16, mpsops_msl::bfloat_bits(__builtin_bit_cast(float, bits)));
}
#undef MPSOPS_LIBCALL

#pragma clang attribute pop
