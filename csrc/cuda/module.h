// Kernel families on an NVIDIA GPU: PTX that was compiled elsewhere (python -m mpsops.msl.ptx).
#pragma once

#include <cuda.h>

#include <cstdint>
#include <string>
#include <vector>

#include "csrc/core/kernel.h"
#include "csrc/cuda/msl/mpsops_passing.h"

namespace mpsops::cuda {

class CudaKernel : public Kernel {
 public:
  CudaKernel(std::string name, CUfunction function, std::vector<mpsops_msl::Passing> passings);
  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return max_threads_; }
  uint32_t static_threadgroup_memory_length() const override { return shared_bytes_; }
  CUfunction function() const { return function_; }
  // Of its parameters, in their order.
  const std::vector<mpsops_msl::Passing>& passings() const { return passings_; }

 private:
  std::string name_;
  CUfunction function_;
  std::vector<mpsops_msl::Passing> passings_;
  uint32_t max_threads_;
  uint32_t shared_bytes_;
};

// The driver's calls need the device's context, which a thread of autograd may not have yet.
void enter_context();
void set_ptx_folder(std::string folder);
void check(CUresult result, const char* what);

}  // namespace mpsops::cuda
