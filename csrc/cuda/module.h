// Kernel families on an NVIDIA GPU: PTX that was compiled elsewhere (python -m mpsops.msl.ptx).
#pragma once

#include <cuda.h>

#include <cstdint>
#include <string>

#include "csrc/core/kernel.h"

namespace mpsops::cuda {

class CudaKernel : public Kernel {
 public:
  CudaKernel(std::string name, CUfunction function);
  const std::string& name() const override { return name_; }
  uint32_t max_total_threads_per_threadgroup() const override { return max_threads_; }
  uint32_t static_threadgroup_memory_length() const override { return shared_bytes_; }
  CUfunction function() const { return function_; }

 private:
  std::string name_;
  CUfunction function_;
  uint32_t max_threads_;
  uint32_t shared_bytes_;
};

void set_ptx_folder(std::string folder);
void check(CUresult result, const char* what);

}  // namespace mpsops::cuda
