// What stock torch does with an op that it has not got on MPS: an error, or the CPU with copies.
#include "csrc/sim/device/fallback.h"

#include <ATen/native/CPUFallback.h>

#include <cstdlib>
#include <string>

#include "csrc/sim/device/counters.h"
#include "csrc/sim/device/install.h"

namespace mpsops::sim {

namespace {

using c10::OperatorHandle;
using torch::jit::Stack;

std::string git_version;

void refuse_distributed(const OperatorHandle& op) {
  TORCH_CHECK_NOT_IMPLEMENTED(op.schema().name().rfind("c10d::", 0) != 0,
                              "The distributed operator '", op.schema().operator_name(),
                              "' is not currently implemented for the MPS device. ",
                              "Please note, that distributed operators can not fall back to CPU");
}

void refuse(const OperatorHandle& op, Stack* /*stack*/) {
  refuse_distributed(op);
  TORCH_CHECK_NOT_IMPLEMENTED(
      false, "The operator '", op.schema().operator_name(),
      "' is not currently implemented for the MPS device. If you want this op to be considered for "
      "addition please comment on https://github.com/pytorch/pytorch/issues/141287 and mention "
      "use-case, that resulted in missing op as well as commit hash ",
      git_version,
      ". As a temporary fix, you can set the environment variable "
      "`PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as a fallback for this op. WARNING: this "
      "will "
      "be slower than running natively on MPS.");
}

}  // namespace

void fall_back(const OperatorHandle& op, Stack* stack) {
  refuse_distributed(op);
  TORCH_WARN_ONCE("The operator '", op.schema().operator_name(),
                  "' is not currently supported on the MPS backend and will fall back to run on "
                  "the CPU. This may have performance implications.");
  count_fallback(op);
  at::native::cpu_fallback(op, stack);
}

bool fallback_enabled() {
  // Read once, as torch does.
  static const bool enabled = [] {
    const char* text = std::getenv("PYTORCH_ENABLE_MPS_FALLBACK");
    return text != nullptr && std::stoi(text) != 0;
  }();
  return enabled;
}

void set_git_version(std::string version) {
  git_version = std::move(version);
}

void register_fallback() {
  static auto* library =
      new torch::Library(torch::Library::IMPL, "_", c10::DispatchKey::MPS, __FILE__, __LINE__);
  library->fallback(fallback_enabled() ? torch::CppFunction::makeFromBoxedFunction<&fall_back>()
                                       : torch::CppFunction::makeFromBoxedFunction<&refuse>());
}

}  // namespace mpsops::sim
