#include "csrc/cuda/module.h"

#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>

#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>

namespace mpsops {

namespace cuda {

namespace {

struct Module {
  CUmodule module = nullptr;
  std::map<std::string, std::unique_ptr<CudaKernel>> kernels;
};

// Leaked: at exit the driver may be gone already.
struct State {
  std::mutex mutex;
  std::string folder;
  std::map<std::string, Module, std::less<>> modules;
};

State& state() {
  static auto* instance = new State();
  return *instance;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  TORCH_CHECK(file.good(), "mpsops: no PTX at ", path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Module& load(std::string_view family) {
  const auto found = state().modules.find(family);
  if (found != state().modules.end()) {
    return found->second;
  }
  c10::cuda::device_synchronize();  // makes torch's context the current one
  const std::string ptx = read(state().folder + "/" + std::string(family) + ".ptx");
  Module module;
  check(cuModuleLoadData(&module.module, ptx.c_str()), "cuModuleLoadData");
  return state().modules.emplace(family, std::move(module)).first->second;
}

uint32_t attribute(CUfunction_attribute which, CUfunction function) {
  int value = 0;
  check(cuFuncGetAttribute(&value, which, function), "cuFuncGetAttribute");
  return static_cast<uint32_t>(value);
}

}  // namespace

CudaKernel::CudaKernel(std::string name, CUfunction function)
    : name_(std::move(name)),
      function_(function),
      max_threads_(attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function)),
      shared_bytes_(attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function)) {}

void set_ptx_folder(std::string folder) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().folder = std::move(folder);
}

void check(CUresult result, const char* what) {
  if (result != CUDA_SUCCESS) {
    const char* text = nullptr;
    cuGetErrorString(result, &text);
    TORCH_CHECK(false, "mpsops: ", what, ": ", text != nullptr ? text : "unknown error");
  }
}

}  // namespace cuda

const Kernel& get_kernel(std::string_view family, std::string_view kernel_name) {
  const std::string name(kernel_name);
  const std::lock_guard<std::mutex> lock(cuda::state().mutex);
  cuda::Module& module = cuda::load(family);
  auto& kernel = module.kernels[name];
  if (!kernel) {
    CUfunction function = nullptr;
    cuda::check(cuModuleGetFunction(&function, module.module, name.c_str()), name.c_str());
    kernel = std::make_unique<cuda::CudaKernel>(name, function);
  }
  return *kernel;
}

}  // namespace mpsops
