// What mpsops can put on the MPS dispatch key. Each csrc/ops/<family>.cpp ends with one block:
//
//   MPSOPS_FAMILY(pdist) {
//     family.dtypes({at::kFloat}).opinfo({"nn.functional.pdist"});
//     family.missing<pdist_forward>("aten::_pdist_forward");
//     family.missing<pdist_backward>("aten::_pdist_backward");
//   }
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csrc/core/limits.h"

namespace mpsops {

enum class Policy : uint8_t {
  kMissing,  // registered only where torch has no MPS kernel for the overload
  kPartial,  // torch's kernel raises for some inputs; ours takes all, or passes on what torch's
             // takes
  kFaster,   // torch's kernel works; ours is opt-in
};

// Where the kernels go: the key of kDeviceType.
c10::DispatchKey dispatch_key();

// One overload that mpsops implements.
class Op {
 public:
  Op(std::string name, std::string family, Policy policy) noexcept
      : name_(std::move(name)), family_(std::move(family)), policy_(policy) {}

  // Entries of PyTorch's OpInfo database, or of ours in python/mpsops/_opinfo, that exercise this
  // op; the family's by default.
  Op& opinfo(std::initializer_list<const char*> names);
  // The dtypes of the first tensor argument; the family's by default.
  Op& dtypes(std::initializer_list<at::ScalarType> dtypes);
  // Why a partial op is replaced, for the table of mpsops.ops().
  Op& because(const char* reason);
  // Ours is for what torch's kernel refuses, and passes the rest on to that (core/original.h).
  Op& passes_on();
  // Torch's kernel gives wrong results for some inputs: no call may be left to it, however fast.
  Op& torch_errs();
  // The most kernels that one call launches; 1 unless said. A generated test counts.
  Op& max_dispatches(uint32_t count);

  const std::string& name() const { return name_; }  // "aten::mode.values"
  const std::string& family() const { return family_; }
  Policy policy() const { return policy_; }
  const std::vector<at::ScalarType>& dtypes() const { return dtypes_; }
  const std::vector<std::string>& opinfo() const { return opinfo_; }
  const std::string& reason() const { return reason_; }
  uint32_t max_dispatches() const { return max_dispatches_; }
  bool does_pass_on() const { return passes_on_; }
  bool does_torch_err() const { return torch_errs_; }

  // Whether torch itself has an MPS kernel for this overload (ours not counted).
  bool native() const;
  bool exists() const;  // the running torch has the schema
  bool enabled() const { return library_ != nullptr; }
  // With limits, only the calls within them are ours; of an enabled op it changes the limits.
  void enable(const std::optional<Limits>& limits = std::nullopt);
  const std::optional<Limits>& limits() const { return limits_; }
  void disable();  // restores what torch had

  // Torch's kernel below ours. Only of an op that passes on and is enabled.
  const c10::SafeKernelFunction& original() const;

  uint64_t calls() const { return calls_.load(std::memory_order_relaxed); }
  uint64_t dispatches() const { return dispatches_.load(std::memory_order_relaxed); }
  void reset_counts();
  void count_dispatches(size_t count) { dispatches_.fetch_add(count, std::memory_order_relaxed); }

 private:
  friend class Family;
  friend class Running;
  friend class PassingOn;

  std::string name_;
  std::string family_;
  Policy policy_;
  std::vector<at::ScalarType> dtypes_;
  std::vector<std::string> opinfo_;
  std::string reason_;
  uint32_t max_dispatches_ = 1;
  bool passes_on_ = false;
  bool torch_errs_ = false;
  std::optional<Limits> limits_;
  std::optional<c10::SafeKernelFunction> original_;
  torch::CppFunction (*make_kernel_)() = nullptr;
  std::unique_ptr<torch::Library> library_;
  std::atomic<uint64_t> calls_{0};
  std::atomic<uint64_t> dispatches_{0};
};

// The op whose C++ function is running on this thread: counts, and dispatches are charged to it.
class Running {
 public:
  explicit Running(Op& op);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Op* outer_;
};

// While torch's own kernel does the call after all: neither a call of ours nor charged to it.
class PassingOn {
 public:
  explicit PassingOn(Op& op);
  ~PassingOn();
  PassingOn(const PassingOn&) = delete;
  PassingOn& operator=(const PassingOn&) = delete;

 private:
  Op* running_;
};

namespace detail {

// Wraps a C++ function so that the dispatcher calls it unboxed and its calls are counted.
template <auto Function, class Signature>
struct Counted;

template <auto Function, class R, class... Args>
struct Counted<Function, R (*)(Args...)> {
  static inline Op* op = nullptr;
  static R call(Args... args) {
    Running running(*op);
    return Function(std::forward<Args>(args)...);
  }
  static torch::CppFunction make() { return torch::CppFunction(TORCH_FN(&Counted::call)); }
};

}  // namespace detail

class Family {
 public:
  explicit Family(std::string name) : name_(std::move(name)) {}

  Family& dtypes(std::initializer_list<at::ScalarType> dtypes) {
    dtypes_ = dtypes;
    return *this;
  }
  Family& opinfo(std::initializer_list<const char*> names) {
    opinfo_.assign(names.begin(), names.end());
    return *this;
  }

  template <auto Function>
  Op& missing(const char* name) {
    return add<Function>(name, Policy::kMissing);
  }
  template <auto Function>
  Op& partial(const char* name) {
    return add<Function>(name, Policy::kPartial);
  }
  template <auto Function>
  Op& faster(const char* name) {
    return add<Function>(name, Policy::kFaster);
  }

 private:
  template <auto Function>
  Op& add(const char* name, Policy policy) {
    using Counted = detail::Counted<Function, decltype(Function)>;
    Op& op = create(name, policy);
    Counted::op = &op;
    op.make_kernel_ = &Counted::make;
    return op;
  }
  Op& create(const char* name, Policy policy);

  std::string name_;
  std::vector<at::ScalarType> dtypes_;
  std::vector<std::string> opinfo_;
};

// All ops of all families, by name. Pointers stay valid for the life of the process.
const std::vector<std::unique_ptr<Op>>& all_ops();

namespace detail {
struct FamilyInit {
  FamilyInit(const char* name, void (*fill)(Family&));
};
}  // namespace detail

}  // namespace mpsops

#define MPSOPS_FAMILY(stem)                                                                 \
  static void mpsops_fill_##stem(::mpsops::Family& family);                                 \
  static const ::mpsops::detail::FamilyInit mpsops_init_##stem(#stem, &mpsops_fill_##stem); \
  static void mpsops_fill_##stem(::mpsops::Family& family)
