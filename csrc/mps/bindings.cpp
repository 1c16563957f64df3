#include "csrc/core/bindings.h"

#include <pybind11/stl.h>

#include <map>

#include "csrc/mps/cpu_path.h"

namespace py = pybind11;

namespace mpsops {

namespace {

// With the line of Python that called the op, also for ops that torch calls without its own
// handler.
void warn(const std::string& text) {
  const py::gil_scoped_acquire gil;
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) != 0) {
    throw py::error_already_set();
  }
}

}  // namespace

void bind_cpu_path(py::module_& m) {
  cpu_path::set_warning(&warn);
  const py::call_guard<py::gil_scoped_release> release;
  m.def("cpu_path_enable", &cpu_path::enable, release);
  m.def("cpu_path_disable", &cpu_path::disable, release);
  m.def("cpu_path_enabled", &cpu_path::enabled);
  m.def("cpu_path_ops", &cpu_path::ops);
  m.def("cpu_path_calls", [] {
    std::map<std::string, std::pair<uint64_t, uint64_t>> rows;
    for (const auto& [name, calls] : cpu_path::calls()) {
      rows.emplace(name, std::pair(calls.calls, calls.bytes_copied));
    }
    return rows;
  });
  m.def("cpu_path_reset_calls", &cpu_path::reset_calls);
}

}  // namespace mpsops
