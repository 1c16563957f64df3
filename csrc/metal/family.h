// Kernel families on the GPU. A family is one library of Metal, compiled when first used; a kernel
// of it is one pipeline. Both live as long as the process.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "csrc/core/embedded.h"
#include "csrc/core/kernel.h"
#include "csrc/metal/compiler.h"

namespace mpsops::metal {

class Pipeline final : public Kernel {
 public:
  Pipeline(std::string name, const Made& made, bool bfloat)
      : name_(std::move(name)),
        state_(made.state),
        max_threads_(made.max_threads),
        static_memory_(made.static_memory),
        bfloat_(bfloat) {}

  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return max_threads_; }
  uint32_t static_threadgroup_memory_length() const override { return static_memory_; }
  Handle state() const { return state_; }
  // Whether the kernel knows bfloat16; false after compilation with MPSOPS_NO_BFLOAT.
  bool bfloat() const { return bfloat_; }

 private:
  std::string name_;
  Handle state_;
  uint32_t max_threads_;
  uint32_t static_memory_;
  bool bfloat_;
};

// Families lock separately: while one compiles, the others go on.
class Family {
 public:
  explicit Family(const Embedded& embedded) : embedded_(embedded) {}

  const Pipeline& pipeline(const std::string& name);
  std::vector<std::string> kernel_names();  // compiles the family

  static Family& find(std::string_view name);

 private:
  // What a library is made from, best first. A GPU or compiler without bfloat must not lose the
  // other dtypes, hence the last.
  enum Form : uint8_t { kMetallib, kSource, kWithoutBfloat };
  static constexpr std::array kForms = {kMetallib, kSource, kWithoutBfloat};

  // Under mutex_, all of these.
  const Compiled& library(Form form);
  Compiled compile(bool bfloat) const;
  std::unique_ptr<Pipeline> make_pipeline(const std::string& name);
  [[noreturn]] void throw_not_compiled();
  [[noreturn]] void throw_no_pipeline(const std::string& name, const std::string& refusal) const;

  const Embedded& embedded_;
  std::mutex mutex_;
  std::array<std::optional<Compiled>, kForms.size()> libraries_;  // empty: not tried yet
  std::unordered_map<std::string, std::unique_ptr<Pipeline>> pipelines_;
};

}  // namespace mpsops::metal
