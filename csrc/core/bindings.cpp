#include "csrc/core/bindings.h"

#include <pybind11/stl.h>

#include <map>

#include "csrc/core/embedded.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"

namespace py = pybind11;

namespace mpsops {

namespace {

const char* policy_name(Policy policy) {
  switch (policy) {
    case Policy::kMissing:
      return "missing";
    case Policy::kPartial:
      return "partial";
    case Policy::kFaster:
      return "faster";
  }
  return "";
}

std::vector<std::string> dtype_names(const std::vector<at::ScalarType>& dtypes) {
  std::vector<std::string> names;
  names.reserve(dtypes.size());
  for (const auto dtype : dtypes) {
    names.emplace_back(dtype_name(dtype));
  }
  return names;
}

std::map<std::string, std::string> sources() {
  std::map<std::string, std::string> texts;
  for (const auto* family : embedded_families()) {
    texts.emplace(family->name, family->source());
  }
  return texts;
}

}  // namespace

void bind_registry(py::module_& m) {
  py::class_<Op, std::unique_ptr<Op, py::nodelete>>(m, "Op")
      .def_property_readonly("name", &Op::name)
      .def_property_readonly("family", &Op::family)
      .def_property_readonly("policy", [](const Op& op) { return policy_name(op.policy()); })
      .def_property_readonly("dtypes", [](const Op& op) { return dtype_names(op.dtypes()); })
      .def_property_readonly("opinfo", [](const Op& op) { return op.opinfo(); })
      .def_property_readonly("reason", &Op::reason)
      .def_property_readonly("max_dispatches", [](const Op& op) { return op.max_dispatches(); })
      .def_property_readonly("passes_on", &Op::does_pass_on)
      .def_property_readonly("exists", &Op::exists)
      .def_property_readonly("native", &Op::native)
      .def_property_readonly("enabled", &Op::enabled)
      .def_property_readonly("calls", &Op::calls)
      .def_property_readonly("dispatches", &Op::dispatches)
      .def("enable", &Op::enable, py::call_guard<py::gil_scoped_release>())
      .def("disable", &Op::disable, py::call_guard<py::gil_scoped_release>())
      .def("reset_counts", &Op::reset_counts);
  m.def("ops", [] {
    py::list list;
    for (const auto& op : all_ops()) {
      list.append(py::cast(op.get(), py::return_value_policy::reference));
    }
    return list;
  });
  m.def("sources", &sources, "The flattened Metal source of each kernel family, by its name.");
}

}  // namespace mpsops
