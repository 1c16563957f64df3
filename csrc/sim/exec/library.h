// Compiled kernel libraries, and the kernels in them.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "csrc/core/kernel.h"
#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops::sim {

// A loaded shared object. Never unloaded.
class KernelLibrary {
 public:
  explicit KernelLibrary(const std::string& path);
  const mpsops_msl::KernelRow* find(const std::string& name) const;
  std::vector<std::string> names() const;
  const mpsops_msl::Library& table() const { return table_; }

 private:
  mpsops_msl::Library table_{};
  std::unordered_map<std::string, const mpsops_msl::KernelRow*> rows_;
};

// The code of one kernel: a row of a library.
struct Code {
  const KernelLibrary* library = nullptr;
  const mpsops_msl::KernelRow* row = nullptr;
};

class SimKernel final : public Kernel {
 public:
  SimKernel(std::string name, Code fast, Code checked)
      : name_(std::move(name)), fast_(fast), checked_(checked) {}
  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return 1024; }
  const Code& code(bool checked) const { return checked ? checked_ : fast_; }

 private:
  std::string name_;
  Code fast_;
  Code checked_;
};

}  // namespace mpsops::sim
