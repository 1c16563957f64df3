// What a compiled kernel library and the simulator know of each other. Included by both sides:
// C++14, no headers, no virtual functions. A library imports nothing but libm.
#pragma once

namespace mpsops_msl {

enum { kAbiVersion = 5, kMaxBuffers = 31, kMaxThreadgroupArguments = 31, kSimdgroupSize = 32 };

struct Extent {
  unsigned x;
  unsigned y;
  unsigned z;
};

// Where in the .metal source a barrier, a simdgroup function or a declaration stands.
struct Site {
  const char* file;
  unsigned line;
  unsigned column;
};

// One dispatch.
struct Launch {
  void* buffers[kMaxBuffers];
  unsigned threadgroup_offsets[kMaxThreadgroupArguments];  // in the group's arena
  Extent grid;                                             // threads
  Extent groups;
  Extent group_size;  // as dispatched; groups at the edges may be smaller
};

// One thread of one group.
struct Thread {
  Extent group;       // threadgroup_position_in_grid
  Extent group_size;  // of this group
  Extent position;    // thread_position_in_threadgroup
  Extent in_grid;     // thread_position_in_grid
  unsigned index;     // thread_index_in_threadgroup
  char* arena;        // threadgroup memory
};

// Element n of a space, counted along x first. Most are a row, which takes no division.
static inline Extent unravel(unsigned n, Extent size) {
  if (size.y * size.z == 1) return Extent{n, 0, 0};
  return Extent{n % size.x, n / size.x % size.y, n / size.x / size.y};
}
// Thread n of the group whose first thread is `first`.
static inline Thread thread_at(const Thread& first, unsigned n) {
  const Extent at = unravel(n, first.group_size);
  const Extent origin = first.in_grid;
  return Thread{first.group, first.group_size,
                at,          Extent{origin.x + at.x, origin.y + at.y, origin.z + at.z},
                n,           first.arena};
}

struct Parameter {
  enum Kind : unsigned char { kBuffer, kThreadgroup, kBuiltin, kAbsent };
  Kind kind;
  bool read_only;
  bool reference;  // one element, not an array
  unsigned index;
  unsigned element_size;
  const char* name;
};

// What a kernel's attributes say of the threads of a group; 0 where they say nothing.
struct GroupLimits {
  unsigned max_threads;
  Extent required;
};

struct KernelRow {
  const char* name;
  const Parameter* parameters;
  unsigned parameter_count;
  GroupLimits limits;
  // Function constants that the kernel needs and that have no value: "a, b", or null.
  const char* missing_constants;
  void (*identity)();  // of its threadgroup variables
  bool fibers;         // may reach a barrier, a simdgroup function or threadgroup memory
  // With fibers: where a thread starts, on its own stack. Never returns.
  void (*entry)();
  // Without: runs whole groups [begin, end) as plain loops. `order` permutes the threads of a
  // group, unless null. `current` is kept up to date in checked libraries.
  void (*loop)(const Launch*, unsigned long begin, unsigned long end, const unsigned* order,
               Thread* current);
};

// Threadgroup memory that the body of a kernel declares.
struct ThreadgroupVariable {
  void (*identity)();  // of the kernel, never called
  unsigned long size;
  unsigned long alignment;
};

// `values` is an array of what each lane gives, `results` of what it gets, of types that the
// function knows; only lanes of `mask` take part.
typedef void (*Combine)(const void* values, void* results, unsigned mask);

enum class State : unsigned char { kReady, kBarrier, kSimdgroup, kDone };

// One thread of the group that is running, and what it says when it waits: one line of the cache.
struct alignas(64) Lane {
  void* stack_pointer;
  void* resume;
  const char* file;  // where it waits
  unsigned line;
  unsigned short column;
  unsigned short next;  // the lane whose turn is then; kScheduler behind the last of a chain
  State state;
  unsigned memory_flags;  // what the barrier orders; checked libraries alone say it
  const char* operation;  // kSimdgroup: what for
  Combine combine;
};

// Lane i's stack is the i-th of a region that is aligned to its size, and behind the region is its
// group: so a thread finds everything from its stack pointer.
enum {
  kLanes = 1024,
  kScheduler = kLanes,
  kNoLane = 0xffff,
  kStackSize = 128 << 10,
  // Stacks lie a power of two apart, which would put their tops in one set of the cache: each
  // starts so much lower than the one before, up to a page.
  kColour = 64,
  kColours = 4096,
  kKnownVariables = 8
};
struct KnownVariable {
  const void* tag;
  void* memory;
};
// What lanes of a simdgroup give each other: dense, for vector code. A lane may give its next value
// while others have still to fetch their results.
struct alignas(64) Exchange {
  static constexpr unsigned kLargest = 64;
  char values[kLargest * kSimdgroupSize];
  char results[kLargest * kSimdgroupSize];
};
struct Group {
  Lane lanes[kLanes + 1];  // the last is the scheduler, on the stack of its OS thread
  Exchange exchanges[kLanes / unsigned{kSimdgroupSize}];
  const Launch* launch;
  Thread first;                              // its position tells those of all
  KnownVariable variables[kKnownVariables];  // those without a tag are free
};

// What a barrier orders, besides the threads: bits of mem_flags.
enum MemoryFlags : unsigned { kOrdersDevice = 1, kOrdersThreadgroup = 2 };

enum class Access : unsigned char { kLoad, kStore };

// What the simulator offers to a library. None of these throws; each may never return.
struct Runtime {
  void (*threadgroup_barrier)(Site site, unsigned memory_flags);
  void (*simdgroup_barrier)(Site site, unsigned memory_flags);
  // All active lanes of the simdgroup meet, then `combine` runs once for them all.
  void (*simdgroup)(Site site, const char* operation, Combine combine);
  void* (*threadgroup_variable)(const void* tag, unsigned long size, unsigned long alignment,
                                const char* name, Site site);
  void (*finished)();

  // From here on called by checked libraries alone. `from` is the address to which the call
  // returns: it tells the source line.
  void (*access)(const void* address, unsigned long size, Access access, const void* from);
  void (*misaligned)(const void* address, unsigned long size, Access access, const void* from);
  // The next access of `address` is atomic; it loads as well as stores if `modifies`.
  void (*atomic)(const void* address, bool modifies);
  // An index that an array of type `type` does not have.
  void (*bad_index)(const char* type, long index, const void* from);
  void (*division_by_zero)(const void* from);
};

// Code of a library that belongs to no source line. Checked libraries export mpsops_hook_range(),
// which tells it.
struct CodeRange {
  const void* begin;
  const void* end;
};

struct Library {
  unsigned abi_version;
  bool checked;
  const KernelRow* begin;
  const KernelRow* end;
  const ThreadgroupVariable* variables_begin;
  const ThreadgroupVariable* variables_end;
  const void* image_begin;  // the library's own constants lie in here
  const void* image_end;
};

}  // namespace mpsops_msl
