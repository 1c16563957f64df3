#include "csrc/metal/family.h"

#include <c10/util/Exception.h>

#include "csrc/metal/fork.h"

namespace mpsops::metal {

namespace {

std::string reason(const std::string& error) {
  return error.empty() ? "no reason given by Metal" : error;
}

}  // namespace

Family& Family::find(std::string_view name) {
  check_fork();
  static const auto* families = [] {
    auto* map = new std::unordered_map<std::string_view, std::unique_ptr<Family>>();
    for (const Embedded* embedded : embedded_families()) {
      map->emplace(embedded->name, std::make_unique<Family>(*embedded));
    }
    return map;
  }();
  const auto found = families->find(name);
  TORCH_CHECK(found != families->end(), "mpsops: kernel family must be one of metal/*.metal, got ",
              name);
  return *found->second;
}

Compiled Family::compile(bool bfloat) const {
  const std::string source = embedded_.source();
  Compiled compiled = compiler().compile(source, bfloat);
  if (compiled.library == nullptr && !compiled.in_source) {
    // The service that compiles may have died. Taken for a lack of bfloat, that would be for good.
    compiled = compiler().compile(source, bfloat);
  }
  return compiled;
}

const Compiled& Family::library(Form form) {
  auto& library = libraries_[form];
  if (!library) {
    TORCH_CHECK(compiler().has_device(), "mpsops: this process has no Metal device");
    if (form != kMetallib) {
      library = compile(form == kSource);
    } else {
      const auto metallib = embedded_.metallib;
      library = Compiled{metallib.empty() ? nullptr : compiler().load(metallib)};
    }
  }
  return *library;
}

void Family::throw_not_compiled() {
  const Compiled source = *libraries_[kSource];
  const Compiled without = *libraries_[kWithoutBfloat];
  libraries_ = {};  // the next call tries again
  TORCH_CHECK(source.in_source || without.in_source, "mpsops: Metal's compiler failed on metal/",
              embedded_.name, ".metal: ", reason(source.error));
  TORCH_CHECK(false, "mpsops: metal/", embedded_.name, ".metal does not compile:\n",
              reason(source.in_source ? source.error : without.error));
}

void Family::throw_no_pipeline(const std::string& name, const std::string& refusal) const {
  TORCH_CHECK(refusal.empty(), "mpsops: kernel ", name, " of metal/", embedded_.name,
              ".metal cannot run on this GPU: ", refusal);
  const auto& source = libraries_[kSource];
  const bool without_bfloat = source && source->library == nullptr;
  TORCH_CHECK(!without_bfloat || name.find("bfloat16") == std::string::npos, "mpsops: kernel ",
              name, " is not available: metal/", embedded_.name,
              ".metal compiles on this system only without bfloat16:\n", reason(source->error));
  TORCH_CHECK(false, "mpsops: metal/", embedded_.name, ".metal has no kernel ", name);
}

std::unique_ptr<Pipeline> Family::make_pipeline(const std::string& name) {
  bool any_library = false;
  std::string refusal;  // why the GPU does not take the best form of the kernel
  for (const Form form : kForms) {
    const Handle library = this->library(form).library;
    if (library == nullptr) {
      continue;
    }
    any_library = true;
    const auto made = compiler().make_pipeline(library, name);
    if (!made) {
      break;
    }
    if (made->state != nullptr) {
      return std::make_unique<Pipeline>(name, *made, form != kWithoutBfloat);
    }
    if (refusal.empty()) {
      refusal = reason(made->error);
    }
  }
  if (!any_library) {
    throw_not_compiled();
  }
  throw_no_pipeline(name, refusal);
}

const Pipeline& Family::pipeline(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  auto found = pipelines_.find(name);
  if (found == pipelines_.end()) {
    found = pipelines_.emplace(name, make_pipeline(name)).first;
  }
  return *found->second;
}

std::vector<std::string> Family::kernel_names() {
  const std::scoped_lock lock(mutex_);
  for (const Form form : kForms) {
    if (const Handle library = this->library(form).library; library != nullptr) {
      return compiler().kernel_names(library);
    }
  }
  throw_not_compiled();
}

}  // namespace mpsops::metal

namespace mpsops {

const Kernel& get_kernel(std::string_view family, std::string_view name) {
  return metal::Family::find(family).pipeline(std::string(name));
}

}  // namespace mpsops
