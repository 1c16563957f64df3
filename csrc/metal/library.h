// Kernel families on the GPU. A family is one MTLLibrary, compiled when first used; a kernel of it
// is one MTLComputePipelineState. Both live as long as the process.
#pragma once

#import <Metal/Metal.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "csrc/core/kernel.h"
#include "csrc/metal/embedded.h"

namespace mpsops::metal {

class Pipeline final : public Kernel {
 public:
  Pipeline(std::string name, id<MTLComputePipelineState> state, bool bfloat)
      : name_(std::move(name)),
        bfloat_(bfloat),
        state_(state),
        max_threads_(static_cast<uint32_t>(state.maxTotalThreadsPerThreadgroup)),
        static_memory_(static_cast<uint32_t>(state.staticThreadgroupMemoryLength)) {}

  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return max_threads_; }
  uint32_t static_threadgroup_memory_length() const override { return static_memory_; }
  id<MTLComputePipelineState> state() const { return state_; }
  // Whether the kernel knows bfloat16; false after compilation with MPSOPS_NO_BFLOAT.
  bool bfloat() const { return bfloat_; }

 private:
  std::string name_;
  bool bfloat_;
  id<MTLComputePipelineState> state_;
  uint32_t max_threads_;
  uint32_t static_memory_;
};

// Families lock separately: while one compiles, the others go on.
class Family {
 public:
  explicit Family(const Embedded& embedded) : embedded_(embedded) {}

  const Pipeline& pipeline(const std::string& name);
  std::vector<std::string> kernel_names();  // compiles the family

  static Family& find(std::string_view name);

 private:
  id<MTLLibrary> library();  // under mutex_
  std::unique_ptr<Pipeline> make_pipeline(const std::string& name);

  const Embedded& embedded_;
  std::shared_mutex mutex_;
  id<MTLLibrary> library_ = nil;
  std::string no_bfloat_;  // why the library is without bfloat kernels
  std::unordered_map<std::string, std::unique_ptr<Pipeline>> pipelines_;
};

}  // namespace mpsops::metal
