// Each thread keeps a stack of the ops that run on it. An op that reaches a backend is charged with
// its time, less that of ops inside which are charged themselves, so that times add up.
#include "csrc/trace/trace.h"

#include <ATen/SequenceNumber.h>
#include <ATen/core/ivalue.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/record_function.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/SmallVector.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <utility>

#include "csrc/trace/trace_source.h"
#include "csrc/trace/trace_table.h"

namespace mpsops::trace {

std::atomic<bool> detail::active{false};

namespace {

using c10::DispatchKey;
using Clock = std::chrono::steady_clock;

struct Frame {
  const at::RecordFunction* function = nullptr;
  Op op = {};
  LineId line = kNoLine;
  bool transparent = false;    // the tensors are wrappers: the op comes again with what is in them
  bool inside = false;         // of an op that reaches a backend
  bool charged = false;        // something inside has a row of its own
  int exceptions = 0;          // in flight when it began
  uint64_t sequence = 0;       // of the next autograd node
  uint64_t bytes_copied = 0;   // by the CPU path or torch's fallback
  uint64_t nested = 0;         // nanoseconds charged to ops inside
  std::optional<Place> noted;  // where it ran, if somebody said so
  Clock::time_point begin;

  bool is_kernel() const { return noted.has_value() || (op.kernel && !transparent); }
};

// An autograd node that runs its backward.
struct Node {
  const at::RecordFunction* function;
  uint64_t thread;
  uint64_t sequence;
  std::optional<LineId> line = {};
};

struct Thread {
  c10::SmallVector<Frame, 16> frames;
  c10::SmallVector<Node, 4> nodes;
  std::optional<bool> engine = {};  // one of autograd's own; unknown before its first node
};

Thread& this_thread() {
  static thread_local Thread instance;
  return instance;
}

std::mutex mutex;
int traces = 0;
std::atomic<int> synchronizing{0};
at::CallbackHandle handle = at::INVALID_CALLBACK_HANDLE;

std::exception_ptr failure;  // of the device, found while waiting for it

void synchronize() {
  if (synchronizing.load(std::memory_order_relaxed) == 0) {
    return;
  }
  try {
    at::detail::getMPSHooks().deviceSynchronize();
  } catch (...) {
    // Torch would drop it: here an op has ended, or is about to begin.
    const std::scoped_lock lock(mutex);
    failure = failure ? failure : std::current_exception();
  }
}

constexpr c10::DispatchKeySet kFunctorch({DispatchKey::FuncTorchBatched,
                                          DispatchKey::FuncTorchGradWrapper});
// Their kernels unwrap the tensors and call the op once more.
constexpr c10::DispatchKeySet kWrappers =
    kFunctorch | c10::DispatchKeySet({DispatchKey::Python, DispatchKey::Functionalize,
                                      DispatchKey::FuncTorchDynamicLayerFrontMode,
                                      DispatchKey::FuncTorchDynamicLayerBackMode,
                                      DispatchKey::FuncTorchVmapMode});

struct Inputs {
  bool mps = false;
  c10::DispatchKeySet keys;
  uint64_t mps_bytes = 0;  // only where asked for
  uint64_t cpu_bytes = 0;
};

void look(const c10::IValue& value, bool sizes, Inputs& inputs) {
  if (value.isTensor()) {
    const c10::TensorImpl& tensor = *value.unsafeToTensorImpl();
    // Not by the device of every tensor: a fake tensor would ask Python. Functorch's have no
    // backend.
    const bool mps = tensor.key_set().has_backend(c10::BackendComponent::MPSBit) ||
                     (tensor.key_set().has_any(kFunctorch) && tensor.is_mps());
    inputs.mps = inputs.mps || mps;
    inputs.keys = inputs.keys | tensor.key_set();
    if (sizes && !tensor.key_set().empty()) {
      (mps ? inputs.mps_bytes : inputs.cpu_bytes) +=
          static_cast<uint64_t>(tensor.numel()) * tensor.itemsize();
    }
  } else if (value.isList()) {
    const auto elements = value.toListRef();
    if (!elements.empty() && (elements[0].isTensor() || elements[0].isNone())) {
      for (const c10::IValue& element : elements) {
        look(element, sizes, inputs);
      }
    }
  } else if (value.isDevice()) {
    inputs.mps = inputs.mps || value.toDevice().is_mps();
  }
}

// Whether the op will come again with other tensors, or computes nothing (fake tensors).
bool is_transparent(const Inputs& inputs) {
  const auto& local = c10::impl::tls_local_dispatch_key_set();
  const auto keys = (inputs.keys | local.included_) - local.excluded_;
  return keys.has_any(kWrappers) || keys.has_backend(c10::BackendComponent::MetaBit);
}

LineId backward_line(Node& node) {
  if (!node.line) {
    const Nodes made = find_nodes(node.thread, node.sequence);
    const LineId own = made.end == 0 || made.python ? python_line() : kNoLine;
    node.line = own != kNoLine ? own : made.line;
  }
  return *node.line;
}

LineId current_line(Thread& thread) {
  if (!thread.nodes.empty()) {
    return backward_line(thread.nodes.back());
  }
  // Between nodes, the engine's threads add up gradients, with a lock held: the GIL must not be
  // asked for.
  return thread.engine.value_or(false) ? kBackward : python_line();
}

// Torch's fallback is known by the copies that it makes.
void note_copies(Thread& thread, Role role, const Inputs& inputs) {
  if (role == Role::kToCpu && !thread.frames.back().noted) {
    thread.frames.back().noted = Place::kFallback;
  }
  for (auto frame = thread.frames.rbegin(); frame != thread.frames.rend(); ++frame) {
    if (frame->noted == Place::kFallback) {
      frame->bytes_copied += role == Role::kToCpu ? inputs.mps_bytes : inputs.cpu_bytes;
      return;
    }
  }
}

Inputs look(c10::ArrayRef<const c10::IValue> values, bool sizes) {
  Inputs inputs;
  for (const c10::IValue& value : values) {
    look(value, sizes, inputs);
  }
  return inputs;
}

void begin_op(Thread& thread, const at::RecordFunction& function) {
  // First, and without a lock: what is not on mps may run in a forked process.
  const Inputs inputs = look(function.inputs(), false);
  if (!inputs.mps) {
    return;
  }
  const auto op = find_op(function);
  const bool outermost = thread.frames.empty();
  if (!op) {
    if (outermost && function.seqNr() >= 0) {
      const auto sequence = static_cast<uint64_t>(function.seqNr());
      remember_nodes({sequence, sequence + 1, current_line(thread), true});
    }
    return;
  }
  Frame frame;
  frame.function = &function;
  frame.op = *op;
  frame.transparent = is_transparent(inputs);
  frame.exceptions = std::uncaught_exceptions();
  if (outermost) {
    frame.line = current_line(thread);
    frame.sequence = at::sequence_number::peek();
  } else {
    const Frame& outer = thread.frames.back();
    frame.line = outer.line;
    frame.inside = outer.inside || outer.is_kernel();
    if (frame.inside && op->role != Role::kOther) {
      note_copies(thread, op->role, look(function.inputs(), true));
    }
  }
  if (frame.is_kernel() && !frame.inside) {
    synchronize();
  }
  frame.begin = Clock::now();
  thread.frames.push_back(frame);
}

// Where it ran; none for an op that is part of another, or composed of others.
std::optional<Place> place_of(const Frame& frame) {
  const bool raised = std::uncaught_exceptions() > frame.exceptions;
  if (frame.noted) {
    return raised ? Place::kRaised : *frame.noted;
  }
  if (frame.inside || frame.transparent || (frame.charged && !frame.op.kernel)) {
    return std::nullopt;
  }
  if (frame.op.kernel && !frame.op.registered) {
    return raised ? Place::kMissing : Place::kFallback;
  }
  return raised ? Place::kRaised : Place::kStock;
}

void end_op(Thread& thread, const at::RecordFunction& function) {
  if (thread.frames.empty() || thread.frames.back().function != &function) {
    return;
  }
  const Frame frame = thread.frames.back();
  const auto place = place_of(frame);
  if (place && !frame.inside) {
    synchronize();
  }
  const auto elapsed = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - frame.begin).count());
  thread.frames.pop_back();
  const uint64_t own = elapsed - std::min(elapsed, frame.nested);
  const bool composed = !place && !frame.inside && frame.charged;
  if (place) {
    add(frame.op, *place, frame.line, own, frame.bytes_copied);
  } else if (composed) {
    add_composed(own);
  }
  if (!thread.frames.empty()) {
    Frame& outer = thread.frames.back();
    outer.charged = outer.charged || place || frame.charged;
    outer.nested += place || composed ? elapsed : frame.nested;
  } else if (const uint64_t sequence = at::sequence_number::peek(); sequence > frame.sequence) {
    remember_nodes({frame.sequence, sequence, frame.line, false});
  }
}

std::unique_ptr<at::ObserverContext> on_begin(const at::RecordFunction& function) {
  Thread& thread = this_thread();
  if (function.scope() == at::RecordScope::FUNCTION) {
    begin_op(thread, function);
  } else {
    const auto sequence = static_cast<uint64_t>(function.seqNr());
    if (!thread.engine) {
      thread.engine = python_line() == kNoLine;
    }
    thread.nodes.push_back({&function, function.forwardThreadId(), sequence, std::nullopt});
  }
  return nullptr;
}

void on_end(const at::RecordFunction& function, at::ObserverContext* /*context*/) {
  Thread& thread = this_thread();
  if (function.scope() == at::RecordScope::FUNCTION) {
    end_op(thread, function);
  } else if (!thread.nodes.empty() && thread.nodes.back().function == &function) {
    thread.nodes.pop_back();
  }
}

}  // namespace

void detail::note_kernel() {
  if (Thread& thread = this_thread(); !thread.frames.empty()) {
    thread.frames.back().noted = Place::kMpsops;
  }
}

void detail::note_torchs_kernel() {
  if (Thread& thread = this_thread(); !thread.frames.empty()) {
    thread.frames.back().noted.reset();
  }
}

void detail::note_cpu_path(uint64_t bytes_copied) {
  if (Thread& thread = this_thread(); !thread.frames.empty()) {
    thread.frames.back().noted = Place::kCpu;
    thread.frames.back().bytes_copied += bytes_copied;
  }
}

void start(bool synchronize) {
  const std::scoped_lock lock(mutex);
  synchronizing += synchronize ? 1 : 0;
  if (traces++ > 0) {
    return;
  }
  clear_table();
  forget_sources();
  handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&on_begin, &on_end)
          .needsInputs(true)
          .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  detail::active = true;
}

void stop(bool synchronize) {
  const std::scoped_lock lock(mutex);
  synchronizing -= synchronize ? 1 : 0;
  if (--traces == 0) {
    detail::active = false;
    at::removeCallback(handle);
    forget_sources();
  }
  if (synchronize && failure) {
    std::rethrow_exception(std::exchange(failure, nullptr));
  }
}

}  // namespace mpsops::trace
