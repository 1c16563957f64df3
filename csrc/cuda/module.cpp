#include "csrc/cuda/module.h"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>

#include <cstring>
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

// The driver compiles for this GPU, and tells in its log what it could not do.
CUresult assemble(CUmodule* module, const std::string& ptx, int optimization, std::string& log) {
  log.assign(4096, '\0');
  CUjit_option names[] = {CU_JIT_OPTIMIZATION_LEVEL, CU_JIT_ERROR_LOG_BUFFER,
                          CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  // Numbers travel as pointers.
  void* values[] = {reinterpret_cast<void*>(static_cast<uintptr_t>(optimization)), log.data(),
                    reinterpret_cast<void*>(log.size())};
  const CUresult result = cuModuleLoadDataEx(module, ptx.c_str(), 3, names, values);
  log.resize(std::strlen(log.c_str()));
  return result;
}

CUmodule assemble(const std::string& path) {
  const std::string ptx = read(path);
  CUmodule module = nullptr;
  std::string log;
  if (assemble(&module, ptx, 4, log) != CUDA_SUCCESS) {
    // Its optimizer has bugs; without it, kernels are slow.
    TORCH_WARN("mpsops: ", path, " without optimization, because: ", log);
    const CUresult result = assemble(&module, ptx, 1, log);
    TORCH_CHECK(result == CUDA_SUCCESS, "mpsops: the driver does not take ", path, ": ", log);
  }
  return module;
}

Module& load(std::string_view family) {
  const auto found = state().modules.find(family);
  if (found != state().modules.end()) {
    return found->second;
  }
  Module module;
  module.module = assemble(state().folder + "/" + std::string(family) + ".ptx");
  return state().modules.emplace(family, std::move(module)).first->second;
}

uint32_t attribute(CUfunction_attribute which, CUfunction function) {
  int value = 0;
  check(cuFuncGetAttribute(&value, which, function), "cuFuncGetAttribute");
  return static_cast<uint32_t>(value);
}

std::vector<mpsops_msl::Passing> passings_of(CUmodule module, const std::string& kernel) {
  const std::string name = kernel + "_passings";
  CUdeviceptr address = 0;
  size_t size = 0;
  check(cuModuleGetGlobal(&address, &size, module, name.c_str()), name.c_str());
  std::vector<mpsops_msl::Passing> passings(size / sizeof(mpsops_msl::Passing));
  check(cuMemcpyDtoH(passings.data(), address, size), name.c_str());
  return passings;
}

}  // namespace

CudaKernel::CudaKernel(std::string name, CUfunction function,
                       std::vector<mpsops_msl::Passing> passings)
    : name_(std::move(name)),
      function_(function),
      passings_(std::move(passings)),
      max_threads_(attribute(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function)),
      shared_bytes_(attribute(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function)) {}

void enter_context() {
  thread_local c10::DeviceIndex entered = -1;
  const c10::DeviceIndex device = c10::cuda::current_device();
  if (entered != device) {
    C10_CUDA_CHECK(cudaSetDevice(device));
    entered = device;
  }
}

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
  cuda::enter_context();
  const std::lock_guard<std::mutex> lock(cuda::state().mutex);
  cuda::Module& module = cuda::load(family);
  auto& kernel = module.kernels[name];
  if (!kernel) {
    CUfunction function = nullptr;
    cuda::check(cuModuleGetFunction(&function, module.module, name.c_str()), name.c_str());
    kernel =
        std::make_unique<cuda::CudaKernel>(name, function, cuda::passings_of(module.module, name));
  }
  return *kernel;
}

}  // namespace mpsops
