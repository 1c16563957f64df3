#include "csrc/sim/exec/encode.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <cstddef>
#include <deque>

#include "csrc/core/launch_grid.h"
#include "csrc/sim/exec/scheduler.h"
#include "csrc/sim/exec/settings.h"
#include "csrc/sim/sim.h"

namespace mpsops::sim {

namespace {

using mpsops_msl::Parameter;

std::atomic<uint64_t> encode_count = 0;
std::atomic<uint64_t> dispatch_count = 0;

struct Bytes {
  alignas(16) std::byte data[4096];
};

const Parameter* find_parameter(const mpsops_msl::KernelRow& row, Parameter::Kind kind,
                                unsigned index) {
  for (unsigned i = 0; i < row.parameter_count; ++i) {
    if (row.parameters[i].kind == kind && row.parameters[i].index == index) {
      return &row.parameters[i];
    }
  }
  return nullptr;
}

unsigned count_parameters(const mpsops_msl::KernelRow& row, Parameter::Kind kind) {
  unsigned count = 0;
  for (unsigned i = 0; i < row.parameter_count; ++i) {
    if (row.parameters[i].kind == kind) {
      count = std::max(count, row.parameters[i].index + 1);
    }
  }
  return count;
}

void check_kernel(const mpsops_msl::KernelRow& row, const Size& group) {
  TORCH_CHECK(row.missing_constants == nullptr, "mpsops: kernel ", row.name,
              " needs values of function constants: ", row.missing_constants);
  const auto& required = row.limits.required;
  TORCH_CHECK(
      required.x == 0 || (group.x == required.x && group.y == required.y && group.z == required.z),
      "mpsops: kernel ", row.name, ": threadgroup must have ", required.x, " x ", required.y, " x ",
      required.z, " threads, got ", group.x, " x ", group.y, " x ", group.z);
}

Allocation allocation_of(const at::Tensor& tensor, const void* pointer, bool on_host) {
  if (on_host && tensor.is_cpu()) {
    const auto& storage = tensor.storage();
    return {storage.data(), const_cast<std::byte*>(static_cast<const std::byte*>(storage.data())),
            storage.nbytes()};
  }
  return find_allocation(pointer);
}

// Bytes from the first to behind the last element.
size_t span(const at::Tensor& tensor) {
  if (tensor.numel() == 0) {
    return 0;
  }
  size_t last = 0;
  for (int64_t i = 0; i < tensor.dim(); ++i) {
    last += static_cast<size_t>((tensor.size(i) - 1) * tensor.stride(i));
  }
  return (last + 1) * tensor.element_size();
}

Binding bind_tensor(const Parameter* parameter, const at::Tensor& tensor, bool on_host,
                    std::vector<Allocation>& allocations) {
  const void* pointer = tensor.const_data_ptr();
  if (pointer == nullptr) {
    return {parameter};
  }
  const Allocation allocation = allocation_of(tensor, pointer, on_host);
  auto* address = allocation.host + (static_cast<const std::byte*>(pointer) -
                                     static_cast<const std::byte*>(allocation.device));
  Binding binding{parameter, address, allocation.host, allocation.host + allocation.size};
  if (!parameter->read_only) {
    // Whole words: small types are updated atomically by exchanging the word they lie in.
    const auto begin = reinterpret_cast<uintptr_t>(address) / 4 * 4;
    const auto end = (reinterpret_cast<uintptr_t>(address) + span(tensor) + 3) / 4 * 4;
    binding.store_begin = std::max(binding.begin, reinterpret_cast<std::byte*>(begin));
    binding.store_end = std::min(binding.end, reinterpret_cast<std::byte*>(end));
  }
  if (!(on_host && tensor.is_cpu())) {
    allocations.push_back(allocation);
  }
  return binding;
}

// What a pointer in a struct leads to, as a parameter with a name of its own.
struct Pointee {
  std::string name;
  Parameter parameter;

  Pointee(const Parameter& pointers, const Indirect& indirect)
      : name(std::string(pointers.name) + "[" + std::to_string(indirect.position) + "]"),
        parameter{pointers} {
    parameter.read_only = false;
    parameter.element_size = static_cast<unsigned>(indirect.tensor.element_size());
    parameter.name = name.c_str();
  }
};

}  // namespace

Counts counts() {
  return {encode_count.load(), dispatch_count.load()};
}

void reset_counts() {
  encode_count = 0;
  dispatch_count = 0;
}

void execute(const Dispatch& dispatch, bool on_host, c10::ArrayRef<Indirect> indirect) {
  dispatch_count.fetch_add(1, std::memory_order_relaxed);
  const bool check = checked();
  Work work;
  work.code = static_cast<const SimKernel*>(dispatch.kernel)->code(check);
  work.schedule = schedule();
  const bool code_checks = work.code.library->table().checked;
  work.races = code_checks ? race_check() : RaceCheck::kOff;
  work.time_limit = time_limit(code_checks);
  const auto& row = *work.code.row;
  check_kernel(row, dispatch.grid.group);
  set_launch_grid(work.launch, dispatch.grid);
  std::deque<Bytes> bytes;
  std::vector<Allocation> allocations;
  unsigned buffer = 0;
  unsigned threadgroup = 0;
  uint32_t offset = kThreadgroupGap;
  uint32_t charged = 0;
  for (const Argument& argument : dispatch.arguments) {
    if (argument.kind == Argument::Kind::kThreadgroupMemory) {
      const auto* parameter = find_parameter(row, Parameter::kThreadgroup, threadgroup);
      TORCH_CHECK(parameter != nullptr, "mpsops: kernel ", row.name, " has no [[threadgroup(",
                  threadgroup, ")]]");
      charged += argument.size;
      TORCH_CHECK(charged <= kThreadgroupMemory, "mpsops: kernel ", row.name,
                  ": threadgroup memory must be at most ", kThreadgroupMemory, " bytes, got ",
                  charged);
      work.launch.threadgroup_offsets[threadgroup++] = offset;
      work.threadgroup_arguments.push_back({parameter, offset, argument.size});
      offset = (offset + argument.size + kThreadgroupGap + 63) / 64 * 64;
      continue;
    }
    const auto* parameter = find_parameter(row, Parameter::kBuffer, buffer++);
    if (parameter == nullptr) {
      TORCH_CHECK(argument.kind == Argument::Kind::kNone, "mpsops: kernel ", row.name,
                  " has no [[buffer(", buffer - 1, ")]]");
      continue;
    }
    switch (argument.kind) {
      case Argument::Kind::kTensor:
        work.bindings.push_back(bind_tensor(parameter, *argument.tensor, on_host, allocations));
        work.launch.buffers[parameter->index] = work.bindings.back().address;
        break;
      case Argument::Kind::kBytes: {
        TORCH_CHECK(!parameter->reference || argument.size >= parameter->element_size,
                    "mpsops: kernel ", row.name, ": buffer ", parameter->index, " '",
                    parameter->name, "' must have ", parameter->element_size, " bytes, got ",
                    argument.size);
        auto& copy = bytes.emplace_back();
        std::memcpy(copy.data, argument.bytes(), argument.size);
        work.bindings.push_back({parameter, copy.data, copy.data, copy.data + argument.size});
        work.launch.buffers[parameter->index] = copy.data;
        break;
      }
      default:
        work.bindings.push_back({parameter});
    }
  }
  TORCH_CHECK(buffer >= count_parameters(row, Parameter::kBuffer), "mpsops: kernel ", row.name,
              " takes ", count_parameters(row, Parameter::kBuffer), " buffers, got ", buffer);
  TORCH_CHECK(threadgroup >= count_parameters(row, Parameter::kThreadgroup), "mpsops: kernel ",
              row.name, " takes ", count_parameters(row, Parameter::kThreadgroup),
              " threadgroup memory arguments, got ", threadgroup);
  std::deque<Pointee> pointees;
  for (const Indirect& each : indirect) {
    if (const auto* pointers = find_parameter(row, Parameter::kBuffer, each.buffer)) {
      const auto& pointee = pointees.emplace_back(*pointers, each);
      work.bindings.push_back(bind_tensor(&pointee.parameter, each.tensor, on_host, allocations));
    }
  }
  run(work);
  if (check) {
    for (const auto& allocation : allocations) {
      check_guard(allocation);
    }
  }
}

}  // namespace mpsops::sim

namespace mpsops {

void encode(const Dispatch* dispatches, size_t count) {
  sim::encode_count.fetch_add(1, std::memory_order_relaxed);
  if (!sim::executing()) {
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    sim::execute(dispatches[i], false);
  }
}

}  // namespace mpsops
