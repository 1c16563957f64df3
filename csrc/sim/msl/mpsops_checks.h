// What clang calls in checked libraries: before each access of memory, and where something has no
// result. Included by mpsops_support.h.
#pragma once
#pragma GCC system_header

#define MPSOPS_FROM __builtin_return_address(0)
#define MPSOPS_HOOK extern "C" __attribute__((noinline, section("mpsops_hooks")))

extern "C" {
extern const char __start_mpsops_hooks[] __attribute__((visibility("hidden")));
extern const char __stop_mpsops_hooks[] __attribute__((visibility("hidden")));
}
extern "C" __attribute__((visibility("default"), used)) ::mpsops_msl::CodeRange
mpsops_hook_range() {
  return ::mpsops_msl::CodeRange{__start_mpsops_hooks, __stop_mpsops_hooks};
}

// An access of 1 to 16 bytes of a type with the alignment of its size: clang calls the ones of
// other types by N, for -asan-mapping-scale=4.
#define MPSOPS_ACCESS_OF(size, name, kind)                                                      \
  MPSOPS_HOOK void __asan_##name##size##_noabort(const void* address) {                         \
    if (size > 1 && (reinterpret_cast<unsigned long>(address) & (size - 1)) != 0) {             \
      ::mpsops_msl::runtime.misaligned(address, size, ::mpsops_msl::Access::kind, MPSOPS_FROM); \
    }                                                                                           \
    ::mpsops_msl::runtime.access(address, size, ::mpsops_msl::Access::kind, MPSOPS_FROM);       \
  }
#define MPSOPS_ACCESS(size)           \
  MPSOPS_ACCESS_OF(size, load, kLoad) \
  MPSOPS_ACCESS_OF(size, store, kStore)
MPSOPS_ACCESS(1)
MPSOPS_ACCESS(2)
MPSOPS_ACCESS(4)
MPSOPS_ACCESS(8)
MPSOPS_ACCESS(16)
#undef MPSOPS_ACCESS
#undef MPSOPS_ACCESS_OF

MPSOPS_HOOK void __asan_loadN_noabort(const void* address, unsigned long size) {
  ::mpsops_msl::runtime.access(address, size, ::mpsops_msl::Access::kLoad, MPSOPS_FROM);
}
MPSOPS_HOOK void __asan_storeN_noabort(const void* address, unsigned long size) {
  ::mpsops_msl::runtime.access(address, size, ::mpsops_msl::Access::kStore, MPSOPS_FROM);
}
MPSOPS_HOOK void* __asan_memcpy(void* to, const void* from, unsigned long size) {
  if (size != 0) {
    ::mpsops_msl::runtime.access(from, size, ::mpsops_msl::Access::kLoad, MPSOPS_FROM);
    ::mpsops_msl::runtime.access(to, size, ::mpsops_msl::Access::kStore, MPSOPS_FROM);
  }
  return __builtin_memcpy(to, from, size);
}
MPSOPS_HOOK void* __asan_memmove(void* to, const void* from, unsigned long size) {
  if (size != 0) {
    ::mpsops_msl::runtime.access(from, size, ::mpsops_msl::Access::kLoad, MPSOPS_FROM);
    ::mpsops_msl::runtime.access(to, size, ::mpsops_msl::Access::kStore, MPSOPS_FROM);
  }
  return __builtin_memmove(to, from, size);
}
MPSOPS_HOOK void* __asan_memset(void* to, int value, unsigned long size) {
  if (size != 0) {
    ::mpsops_msl::runtime.access(to, size, ::mpsops_msl::Access::kStore, MPSOPS_FROM);
  }
  return __builtin_memset(to, value, size);
}
MPSOPS_HOOK void __asan_handle_no_return() {}

// The layouts are those of clang's UndefinedBehaviorSanitizer.
namespace mpsops_msl {

struct SanitizerType {
  unsigned short kind;  // 0: an integer
  unsigned short info;  // of an integer, bit 0: signed; above: the logarithm of its width
  char name[1];         // in quotes
};
struct BadIndex {
  Site site;
  const SanitizerType* array;
  const SanitizerType* index;
};

static inline long sanitized_value(const SanitizerType& type, unsigned long value) {
  const unsigned unused = 64 - (1u << (type.info >> 1));
  return type.info & 1 ? long(value << unused) >> unused : long(value << unused >> unused);
}

}  // namespace mpsops_msl

MPSOPS_HOOK void __ubsan_handle_out_of_bounds_abort(const ::mpsops_msl::BadIndex* data,
                                                    unsigned long index) {
  ::mpsops_msl::runtime.bad_index(data->array->name,
                                  ::mpsops_msl::sanitized_value(*data->index, index), MPSOPS_FROM);
}
MPSOPS_HOOK void __ubsan_handle_divrem_overflow_abort(const void*, unsigned long, unsigned long) {
  ::mpsops_msl::runtime.division_by_zero(MPSOPS_FROM);
}
#undef MPSOPS_HOOK
#undef MPSOPS_FROM
