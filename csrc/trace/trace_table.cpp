#include "csrc/trace/trace_table.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/hash.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace mpsops::trace {

namespace {

using c10::DispatchKey;

std::mutex mutex;
std::atomic<uint64_t> generation{0};
std::atomic<uint64_t> composed{0};

struct Key {
  const std::string* op;
  Place place;
  LineId line;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    return c10::get_hash(key.op, static_cast<uint8_t>(key.place), key.line);
  }
};

std::unordered_map<Key, Counters, KeyHash>& table() {
  static auto* instance = new std::unordered_map<Key, Counters, KeyHash>();
  return *instance;
}

const std::string* intern(const c10::OperatorName& name) {
  static auto* names = new std::unordered_set<std::string>();
  const std::scoped_lock lock(mutex);
  return &*names->insert(c10::toString(name)).first;
}

Op describe(const c10::OperatorName& name) {
  Op op{intern(name), true, false, Role::kOther};
  if (name.name == "aten::_to_cpu") {
    op.role = Role::kToCpu;
  } else if (name.name == "aten::_to_copy" || name.name == "aten::_copy_from_and_resize") {
    op.role = Role::kCopy;
  }
  const auto handle = c10::Dispatcher::singleton().findSchema(name);
  if (!handle) {
    return op;
  }
  const auto has = [&](DispatchKey key) { return handle->hasKernelForDispatchKey(key); };
  const bool composite = has(DispatchKey::CompositeImplicitAutograd) ||
                         has(DispatchKey::CompositeExplicitAutograd) ||
                         has(DispatchKey::CompositeExplicitAutogradNonFunctional);
  op.kernel = has(DispatchKey::MPS) || !composite;
  op.registered = has(DispatchKey::MPS) || has(DispatchKey::SparseMPS);
  return op;
}

// By the address of the schema's name, which lives as long as the op is defined.
struct Cache {
  struct Entry {
    std::string name;
    Op op;
  };
  uint64_t generation = 0;
  std::unordered_map<const char*, Entry> ops;
};

}  // namespace

std::optional<Op> find_op(const at::RecordFunction& function) {
  static thread_local Cache cache;
  const uint64_t now = generation.load(std::memory_order_relaxed);
  if (cache.generation != now) {
    cache.ops.clear();
    cache.generation = now;
  }
  const char* name = function.name();
  const auto found = cache.ops.find(name);
  // The text too: the address may be another op's by now.
  if (found != cache.ops.end() && std::strcmp(found->second.name.c_str(), name) == 0) {
    return found->second.op;
  }
  const auto full = function.operator_name();
  if (!full) {
    return std::nullopt;
  }
  const Op op = describe(*full);
  cache.ops.insert_or_assign(name, Cache::Entry{full->name, op});
  return op;
}

void clear_table() {
  const std::scoped_lock lock(mutex);
  table().clear();
  composed = 0;
  // Kernels may have come and gone since.
  generation.fetch_add(1, std::memory_order_relaxed);
}

void add(const Op& op, Place place, LineId line, uint64_t nanoseconds, uint64_t bytes_copied) {
  const std::scoped_lock lock(mutex);
  Counters& counters = table()[{op.name, place, line}];
  ++counters.calls;
  counters.nanoseconds += nanoseconds;
  counters.bytes_copied += bytes_copied;
}

void add_composed(uint64_t nanoseconds) {
  composed.fetch_add(nanoseconds, std::memory_order_relaxed);
}

std::vector<Row> rows() {
  std::vector<Row> result;
  const std::scoped_lock lock(mutex);
  result.reserve(table().size());
  for (const auto& [key, counters] : table()) {
    result.push_back({*key.op, key.place, source(key.line), counters});
  }
  return result;
}

uint64_t composed_nanoseconds() {
  return composed.load(std::memory_order_relaxed);
}

}  // namespace mpsops::trace
