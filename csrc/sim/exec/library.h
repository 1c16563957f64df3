// Compiled kernel libraries, and the kernels in them.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "csrc/core/kernel.h"
#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops::sim {

// A loaded shared object, unloaded with it: no kernel of it may be running then.
class KernelLibrary {
 public:
  explicit KernelLibrary(const std::string& path);
  const mpsops_msl::KernelRow* find(const std::string& name) const;
  std::vector<std::string> names() const;
  const mpsops_msl::Library& table() const { return table_; }
  // Bytes that a kernel declares in its body.
  uint32_t threadgroup_memory(const mpsops_msl::KernelRow& row) const;
  const std::string& path() const { return path_; }
  // Whether `address` is in code of the kernels themselves.
  bool has_code(const void* address) const {
    return address >= table_.image_begin && address < table_.image_end &&
           !(address >= hooks_.begin && address < hooks_.end);
  }

 private:
  struct Unload {
    void operator()(void* handle) const;
  };

  std::string path_;
  std::unique_ptr<void, Unload> handle_;
  mpsops_msl::Library table_{};
  mpsops_msl::CodeRange hooks_{};
  std::unordered_map<std::string, const mpsops_msl::KernelRow*> rows_;
};

// The library at `path`; the one that is loaded already, as long as somebody has it.
std::shared_ptr<KernelLibrary> shared_library(const std::string& path);

// The code of one kernel: a row of a library.
struct Code {
  const KernelLibrary* library = nullptr;
  const mpsops_msl::KernelRow* row = nullptr;
};

class SimKernel final : public Kernel {
 public:
  SimKernel(std::string name, Code fast, Code checked)
      : name_(std::move(name)),
        fast_(fast),
        checked_(checked),
        threadgroup_memory_(fast.library->threadgroup_memory(*fast.row)) {}
  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override {
    const uint32_t stated = fast_.row->limits.max_threads;
    return stated == 0 ? kMaxGroup : std::min(stated, kMaxGroup);
  }
  uint32_t static_threadgroup_memory_length() const override { return threadgroup_memory_; }
  const Code& code(bool checked) const { return checked ? checked_ : fast_; }

 private:
  static constexpr uint32_t kMaxGroup = 1024;

  std::string name_;
  Code fast_;
  Code checked_;
  uint32_t threadgroup_memory_;
};

}  // namespace mpsops::sim
