#include "csrc/sim/exec/library.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <filesystem>
#include <mutex>

#include "csrc/sim/exec/scheduler.h"

namespace mpsops::sim {

void KernelLibrary::Unload::operator()(void* handle) const {
  dlclose(handle);
}

KernelLibrary::KernelLibrary(const std::string& path) : path_(path) {
  // Kernels call libm; a Python that does not link it would leave them without.
  static void* libm = dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
  (void)libm;
  handle_.reset(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  TORCH_CHECK(handle_ != nullptr, "mpsops: kernels cannot be loaded: ", dlerror());
  using Attach = mpsops_msl::Library (*)(const mpsops_msl::Runtime*);
  const auto attach = reinterpret_cast<Attach>(dlsym(handle_.get(), "mpsops_attach"));
  TORCH_CHECK(attach != nullptr, "mpsops: ", path, " is not a kernel library");
  table_ = attach(&runtime());
  TORCH_CHECK(table_.abi_version == mpsops_msl::kAbiVersion, "mpsops: ", path,
              " was compiled for another version of the simulator");
  using Hooks = mpsops_msl::CodeRange (*)();
  if (const auto hooks = reinterpret_cast<Hooks>(dlsym(handle_.get(), "mpsops_hook_range"))) {
    hooks_ = hooks();
  }
  for (const auto* row = table_.begin; row != table_.end; ++row) {
    rows_.emplace(row->name, row);
  }
}

uint32_t KernelLibrary::threadgroup_memory(const mpsops_msl::KernelRow& row) const {
  uint64_t bytes = 0;
  for (const auto* each = table_.variables_begin; each != table_.variables_end; ++each) {
    if (each->identity == row.identity) {
      // As Worker::threadgroup_variable() charges them.
      const uint64_t alignment = std::max<uint64_t>(each->alignment, 16);
      bytes = (bytes + alignment - 1) / alignment * alignment + each->size;
    }
  }
  return static_cast<uint32_t>(bytes);
}

std::shared_ptr<KernelLibrary> shared_library(const std::string& path) {
  static std::mutex mutex;
  static auto* loaded = new std::unordered_map<std::string, std::weak_ptr<KernelLibrary>>();
  const std::scoped_lock lock(mutex);
  if (auto library = (*loaded)[path].lock()) {
    return library;
  }
  std::erase_if(*loaded, [](const auto& entry) { return entry.second.expired(); });
  auto library = std::make_shared<KernelLibrary>(path);
  loaded->emplace(path, library);
  return library;
}

const mpsops_msl::KernelRow* KernelLibrary::find(const std::string& name) const {
  const auto found = rows_.find(name);
  return found == rows_.end() ? nullptr : found->second;
}

std::vector<std::string> KernelLibrary::names() const {
  std::vector<std::string> names;
  for (const auto* row = table_.begin; row != table_.end; ++row) {
    names.emplace_back(row->name);
  }
  return names;
}

namespace {

// The folder kernels/ beside this module.
const std::filesystem::path& kernel_folder() {
  static const std::filesystem::path folder = [] {
    Dl_info info{};
    TORCH_CHECK(dladdr(reinterpret_cast<void*>(&kernel_folder), &info) != 0,
                "mpsops: the module cannot find its own file");
    return std::filesystem::absolute(info.dli_fname).parent_path() / "kernels";
  }();
  return folder;
}

struct Family {
  std::unique_ptr<KernelLibrary> fast;
  std::unique_ptr<KernelLibrary> checked;
  std::unordered_map<std::string, std::unique_ptr<SimKernel>> kernels;
};

Family load_family(const std::string& family) {
  const auto path = kernel_folder() / (family + ".so");
  TORCH_CHECK(std::filesystem::exists(path), "mpsops: no kernels of family ", family, ": ",
              path.string(), " does not exist");
  return {std::make_unique<KernelLibrary>(path.string()),
          std::make_unique<KernelLibrary>((kernel_folder() / (family + ".checked.so")).string()),
          {}};
}

}  // namespace

}  // namespace mpsops::sim

namespace mpsops {

const Kernel& get_kernel(std::string_view family_name, std::string_view kernel_name) {
  const std::string name(kernel_name);
  static std::mutex mutex;
  static auto* families = new std::unordered_map<std::string, sim::Family>();
  const std::scoped_lock lock(mutex);
  const std::string key(family_name);
  auto found = families->find(key);
  if (found == families->end()) {
    found = families->emplace(key, sim::load_family(key)).first;
  }
  sim::Family& family = found->second;
  auto& kernel = family.kernels[name];
  if (kernel == nullptr) {
    const sim::Code fast{family.fast.get(), family.fast->find(name)};
    const sim::Code checked{family.checked.get(), family.checked->find(name)};
    if (fast.row == nullptr || checked.row == nullptr) {
      family.kernels.erase(name);
      TORCH_CHECK(false, "mpsops: family ", family_name, " has no kernel ", name);
    }
    kernel = std::make_unique<sim::SimKernel>(name, fast, checked);
  }
  return *kernel;
}

}  // namespace mpsops
