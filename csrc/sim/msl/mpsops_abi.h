// What a compiled kernel library and the simulator know of each other. Included by both sides:
// C++14, no headers, no virtual functions. A library imports nothing but libm.
#pragma once

namespace mpsops_msl {

enum { kAbiVersion = 1, kMaxBuffers = 31, kMaxThreadgroupArguments = 31, kSimdgroupSize = 32 };

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

struct Parameter {
  enum Kind : unsigned char { kBuffer, kThreadgroup, kBuiltin };
  Kind kind;
  bool read_only;
  bool reference;  // one element, not an array
  unsigned index;
  unsigned element_size;
  const char* name;
};

struct KernelRow {
  const char* name;
  const Parameter* parameters;
  unsigned parameter_count;
  bool fibers;  // may reach a barrier, a simdgroup function or threadgroup memory
  // Runs one thread.
  void (*call)(const Launch*, const Thread*);
  // Runs whole groups [begin, end) as plain loops, for kernels without fibers. `order` permutes the
  // threads of a group, unless null. `current` is kept up to date in checked libraries.
  void (*loop)(const Launch*, unsigned long begin, unsigned long end, const unsigned* order,
               Thread* current);
};

// `values[i]` points at lane i's input, and receives its result; only lanes of `mask` take part.
typedef void (*Combine)(void* const* values, unsigned mask);

// What the simulator offers to a library. None of these throws; each may never return.
struct Runtime {
  void (*threadgroup_barrier)(Site site);
  // All active lanes of the simdgroup meet, then `combine` (unless null) runs once for them all.
  void (*simdgroup)(Site site, const char* operation, void* value, Combine combine);
  void* (*threadgroup_variable)(const void* tag, unsigned long size, unsigned long alignment,
                                const char* name, Site site);
  void (*access)(const void* address, unsigned long size, bool store);
};

struct Library {
  unsigned abi_version;
  bool checked;
  const KernelRow* begin;
  const KernelRow* end;
  const void* image_begin;  // the library's own constants lie in here
  const void* image_end;
};

}  // namespace mpsops_msl
