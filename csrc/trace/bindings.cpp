#include <ATen/record_function.h>
#include <pybind11/stl.h>

#include "csrc/core/bindings.h"
#include "csrc/trace/trace.h"
#include "csrc/trace/trace_table.h"

namespace py = pybind11;

namespace mpsops {

namespace {

const char* place_name(trace::Place place) {
  switch (place) {
    case trace::Place::kStock:
      return "stock";
    case trace::Place::kMpsops:
      return "mpsops";
    case trace::Place::kCpu:
      return "cpu";
    case trace::Place::kFallback:
      return "fallback";
    case trace::Place::kMissing:
      return "missing";
    case trace::Place::kRaised:
      return "raised";
  }
  return "";
}

py::list counters() {
  py::list result;
  for (const auto& row : trace::rows()) {
    result.append(py::make_tuple(row.op, place_name(row.place), row.source.file, row.source.line,
                                 row.source.backward, row.counters.calls, row.counters.nanoseconds,
                                 row.counters.bytes_copied));
  }
  return result;
}

}  // namespace

void bind_trace(py::module_& m) {
  auto part = m.def_submodule("trace");
  part.def("start", &trace::start, py::arg("synchronize"));
  part.def("stop", &trace::stop, py::arg("synchronize"));
  part.def("set_skipped", &trace::set_skipped, py::arg("prefixes"));
  part.def("counters", &counters, "Op, place, file, line, backward, calls, nanoseconds, bytes.");
  part.def("composed_nanoseconds", &trace::composed_nanoseconds);
  part.def("registered", &at::hasGlobalCallbacks, "Whether torch calls back for each op.");
}

}  // namespace mpsops
