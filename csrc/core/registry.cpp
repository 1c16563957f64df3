#include "csrc/core/registry.h"

#include <c10/core/TensorOptions.h>
#include <c10/util/Exception.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>

#include <algorithm>

#include "csrc/core/kernel.h"
#include "csrc/trace/trace.h"

namespace mpsops {

namespace {

thread_local Op* running_op = nullptr;

std::vector<std::unique_ptr<Op>>& mutable_ops() {
  static auto* ops = new std::vector<std::unique_ptr<Op>>();
  return *ops;
}

std::optional<c10::OperatorHandle> find_handle(const std::string& name) {
  return c10::Dispatcher::singleton().findSchema(torch::jit::parseName(name));
}

// Swallows the dispatcher's warning that a kernel is overridden: here that is the point.
class NoWarnings : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

}  // namespace

c10::DispatchKey dispatch_key() {
  return c10::computeDispatchKey(std::nullopt, std::nullopt, c10::Device(kDeviceType));
}

Op& Op::opinfo(std::initializer_list<const char*> names) {
  opinfo_.assign(names.begin(), names.end());
  return *this;
}

Op& Op::dtypes(std::initializer_list<at::ScalarType> dtypes) {
  dtypes_ = dtypes;
  return *this;
}

Op& Op::because(const char* reason) {
  reason_ = reason;
  return *this;
}

Op& Op::passes_on() {
  passes_on_ = true;
  return *this;
}

Op& Op::torch_errs() {
  torch_errs_ = true;
  return *this;
}

Op& Op::max_dispatches(uint32_t count) {
  max_dispatches_ = count;
  return *this;
}

bool Op::exists() const {
  return find_handle(name_).has_value();
}

bool Op::native() const {
  const auto handle = find_handle(name_);
  if (!handle) {
    return false;
  }
  // With ours on top, torch's own is the one below it; the policy says whether there is one.
  if (enabled()) {
    return policy_ != Policy::kMissing;
  }
  return handle->hasKernelForDispatchKey(dispatch_key());
}

void Op::enable(const std::optional<Limits>& limits) {
  if (enabled() && limits_ == limits) {
    return;
  }
  const auto handle = find_handle(name_);
  TORCH_CHECK(handle, "mpsops.enable: op must exist in the running torch, got ", name_);
  TORCH_CHECK(!limits || (native() && !passes_on_ && !torch_errs_), "mpsops.enable: ", name_,
              " must be an op whose calls can be left to torch's kernel, to have limits");
  disable();
  if ((passes_on_ || limits) && handle->hasComputedKernelForDispatchKey(dispatch_key())) {
    original_ = handle->getComputedKernelForDispatchKey(dispatch_key());
  }
  auto library = std::make_unique<torch::Library>(torch::Library::IMPL, "aten", dispatch_key(),
                                                  __FILE__, __LINE__);
  NoWarnings quiet;
  const c10::WarningUtils::WarningHandlerGuard guard(&quiet);
  library->impl(name_.c_str(), make_kernel_());
  if (limits) {
    library->impl(name_.c_str(),
                  limited_kernel(*limits, handle->getComputedKernelForDispatchKey(dispatch_key()),
                                 *original_, policy_ == Policy::kPartial));
  }
  library_ = std::move(library);
  limits_ = limits;
}

void Op::disable() {
  library_.reset();
  original_.reset();
  limits_.reset();
}

const c10::SafeKernelFunction& Op::original() const {
  TORCH_CHECK(original_, name_, ": torch has no MPS kernel to pass this call on to");
  return *original_;
}

void Op::reset_counts() {
  calls_ = 0;
  dispatches_ = 0;
}

Running::Running(Op& op) : outer_(running_op) {
  running_op = &op;
  op.calls_.fetch_add(1, std::memory_order_relaxed);
  note_kernel();
}

Running::~Running() {
  running_op = outer_;
}

PassingOn::PassingOn(Op& op) : running_(running_op) {
  running_op = nullptr;
  op.calls_.fetch_sub(1, std::memory_order_relaxed);
  note_torchs_kernel();
}

PassingOn::~PassingOn() {
  running_op = running_;
}

void detail::count_dispatches(size_t count) {
  if (running_op != nullptr) {
    running_op->count_dispatches(count);
  }
}

Op& Family::create(const char* name, Policy policy) {
  auto& ops = mutable_ops();
  const bool taken =
      std::any_of(ops.begin(), ops.end(), [&](const auto& op) { return op->name() == name; });
  TORCH_CHECK(!taken, "mpsops: two families register ", name);
  ops.push_back(std::make_unique<Op>(name, name_, policy));
  ops.back()->dtypes_ = dtypes_;
  ops.back()->opinfo_ = opinfo_;
  return *ops.back();
}

const std::vector<std::unique_ptr<Op>>& all_ops() {
  return mutable_ops();
}

detail::FamilyInit::FamilyInit(const char* name, void (*fill)(Family&)) {
  Family family(name);
  fill(family);
}

}  // namespace mpsops
