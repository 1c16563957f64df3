#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/utils/pybind.h>

#include <deque>

#include "csrc/sim/exec/encode.h"
#include "csrc/sim/exec/library.h"
#include "csrc/sim/exec/settings.h"
#include "csrc/sim/plain_errors.h"
#include "csrc/sim/sim.h"

namespace py = pybind11;

namespace mpsops::sim {

namespace {

Size size_from(const std::vector<uint32_t>& values) {
  if (values.empty() || values.size() > 3) {
    throw py::value_error("mpsops: a size has 1 to 3 numbers");
  }
  return {values[0], values.size() > 1 ? values[1] : 1, values.size() > 2 ? values[2] : 1};
}

struct ErrorBuffer {};

// On the host: kernels need not know, and nothing else may find it among the device's memory.
at::Tensor error_tensor() {
  const Allocation buffer = error_buffer();
  return at::from_blob(buffer.host, {static_cast<int64_t>(buffer.size)}, at::kByte);
}

// The addresses of tensors, as a kernel sees them; each lives in device memory or nowhere.
std::string addresses(const py::list& tensors, unsigned buffer, std::vector<Indirect>& indirect) {
  std::string bytes;
  unsigned position = 0;
  for (const auto& item : tensors) {
    const auto tensor = item.cast<at::Tensor>();
    const auto* pointer = static_cast<const std::byte*>(tensor.const_data_ptr());
    const std::byte* address = nullptr;
    if (pointer != nullptr) {
      const Allocation allocation = find_allocation(pointer);
      address = allocation.host + (pointer - static_cast<const std::byte*>(allocation.device));
    }
    bytes.append(reinterpret_cast<const char*>(&address), sizeof(address));
    indirect.push_back({buffer, position++, tensor});
  }
  return bytes;
}

// Arguments: a tensor, None, bytes, a list of tensors for their addresses, the error buffer, or an
// int for that many bytes of threadgroup memory.
void run_kernel(const std::shared_ptr<KernelLibrary>& library, const std::string& name,
                const py::sequence& arguments, const std::string& unit,
                const std::vector<uint32_t>& count, const std::vector<uint32_t>& group) {
  const Code code{library.get(), library->find(name)};
  TORCH_CHECK(code.row != nullptr, "mpsops: the library has no kernel ", name);
  const SimKernel kernel(name, code, code);
  if (unit != "threads" && unit != "threadgroups") {
    throw py::value_error("mpsops: unit must be threads or threadgroups, got " + unit);
  }
  const Grid grid{unit == "threads" ? Grid::Unit::kThreads : Grid::Unit::kThreadgroups,
                  size_from(count), size_from(group)};
  for (const uint32_t n :
       {grid.count.x, grid.count.y, grid.count.z, grid.group.x, grid.group.y, grid.group.z}) {
    if (n == 0) {
      throw py::value_error("mpsops: kernel " + name + ": grids and groups must not be empty");
    }
  }
  const uint64_t threads = uint64_t{grid.group.x} * grid.group.y * grid.group.z;
  if (threads > kernel.max_total_threads_per_threadgroup()) {
    throw py::value_error("mpsops: kernel " + name + ": a threadgroup must have at most " +
                          std::to_string(kernel.max_total_threads_per_threadgroup()) +
                          " threads, got " + std::to_string(threads));
  }
  Dispatch dispatch{&kernel, grid, {}};
  std::deque<at::Tensor> tensors;
  std::deque<std::string> values;
  std::vector<Indirect> indirect;
  for (const auto& item : arguments) {
    if (item.is_none()) {
      dispatch.arguments.push_back({Argument::Kind::kNone});
    } else if (py::isinstance<ErrorBuffer>(item)) {
      dispatch.arguments.push_back(detail::make_argument(tensors.emplace_back(error_tensor())));
    } else if (py::isinstance<py::bytes>(item) || py::isinstance<py::list>(item)) {
      const auto& value = values.emplace_back(
          py::isinstance<py::bytes>(item)
              ? item.cast<std::string>()
              : addresses(item.cast<py::list>(), static_cast<unsigned>(dispatch.arguments.size()),
                          indirect));
      if (value.size() > 4096) {
        throw py::value_error("mpsops: bytes must be at most 4096, got " +
                              std::to_string(value.size()));
      }
      Argument argument{Argument::Kind::kBytes};
      argument.large = value.data();
      argument.size = static_cast<uint32_t>(value.size());
      dispatch.arguments.push_back(argument);
    } else if (py::isinstance<py::int_>(item)) {
      dispatch.arguments.push_back(detail::make_argument(ThreadgroupMemory{item.cast<uint32_t>()}));
    } else {
      dispatch.arguments.push_back(
          detail::make_argument(tensors.emplace_back(item.cast<at::Tensor>())));
    }
  }
  const py::gil_scoped_release release;
  plain_errors([&] { execute(dispatch, true, indirect); });
}

py::dict describe(const KernelLibrary& library, const std::string& name) {
  const auto* row = library.find(name);
  TORCH_CHECK(row != nullptr, "mpsops: the library has no kernel ", name);
  py::list parameters;
  for (unsigned i = 0; i < row->parameter_count; ++i) {
    const auto& p = row->parameters[i];
    py::dict entry;
    const char* kinds[] = {"buffer", "threadgroup", "builtin", "absent"};
    entry["name"] = p.name;
    entry["kind"] = kinds[p.kind];
    entry["index"] = p.index;
    entry["element_size"] = p.element_size;
    entry["read_only"] = p.read_only;
    parameters.append(entry);
  }
  py::dict result;
  result["name"] = row->name;
  result["fibers"] = row->fibers;
  const SimKernel kernel(name, {&library, row}, {&library, row});
  result["max_total_threads_per_threadgroup"] = kernel.max_total_threads_per_threadgroup();
  result["static_threadgroup_memory_length"] = kernel.static_threadgroup_memory_length();
  result["parameters"] = parameters;
  return result;
}

}  // namespace

void bind_exec(py::module_& m) {
  m.def("simulator_schedule", [] { return to_string(schedule()); });
  m.def("simulator_set_schedule", [](const std::string& text) {
    try {
      set_schedule(parse_schedule(text));
    } catch (const c10::ValueError& error) {
      throw py::value_error(error.what_without_backtrace());
    }
  });
  m.def("simulator_checked", &checked);
  m.def("simulator_set_checked", &set_checked);
  m.def("simulator_races", [] { return to_string(race_check()); });
  m.def("simulator_set_races", [](const std::string& text) {
    try {
      set_race_check(parse_race_check(text));
    } catch (const c10::ValueError& error) {
      throw py::value_error(error.what_without_backtrace());
    }
  });
  m.def("simulator_time_limit", &chosen_time_limit);
  m.def("simulator_set_time_limit", &set_time_limit);
  m.def("simulator_set_executing", &set_executing);
  m.def("simulator_dispatches", [] { return counts().dispatches; });
  m.def("simulator_encodes", [] { return counts().encodes; });
  m.def("simulator_reset_counts", &reset_counts);
  py::class_<ErrorBuffer>(m, "ErrorBuffer").def(py::init<>());
  py::class_<KernelLibrary, std::shared_ptr<KernelLibrary>>(m, "KernelLibrary")
      .def(py::init([](const std::string& path) {
        return plain_errors([&] { return shared_library(path); });
      }))
      .def("names", &KernelLibrary::names)
      .def("describe", &describe)
      .def_property_readonly("checked", [](const KernelLibrary& l) { return l.table().checked; })
      .def("run", &run_kernel, py::arg("name"), py::arg("arguments"), py::arg("unit"),
           py::arg("count"), py::arg("group"));
}

}  // namespace mpsops::sim
