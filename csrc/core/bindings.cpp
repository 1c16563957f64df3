#include "csrc/core/bindings.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

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

// (dtype, fewest elements, most elements), as Python has it.
using PythonLimit = std::tuple<std::string, int64_t, int64_t>;
using PythonLimits = std::optional<std::vector<PythonLimit>>;

PythonLimits limits_of(const Op& op) {
  if (!op.limits()) {
    return std::nullopt;
  }
  std::vector<PythonLimit> limits;
  for (const auto& limit : *op.limits()) {
    limits.emplace_back(dtype_name(limit.dtype), limit.fewest, limit.most);
  }
  return limits;
}

Limits read_limits(const Op& op, const std::vector<PythonLimit>& given) {
  Limits limits;
  for (const auto& [name, fewest, most] : given) {
    const auto& dtypes = op.dtypes();
    const auto dtype = std::find_if(dtypes.begin(), dtypes.end(), [&, &name = name](auto each) {
      return dtype_name(each) == name;
    });
    if (dtype == dtypes.end()) {
      throw py::value_error("mpsops.enable: dtype must be one that " + op.name() + " takes, got " +
                            name);
    }
    limits.push_back({*dtype, fewest, most});
  }
  return limits;
}

void enable(Op& op, const PythonLimits& limits) {
  op.enable(limits ? std::optional(read_limits(op, *limits)) : std::nullopt);
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
      .def_property_readonly("torch_errs", &Op::does_torch_err)
      .def_property_readonly("limits", &limits_of)
      .def_property_readonly("exists", &Op::exists)
      .def_property_readonly("native", &Op::native)
      .def_property_readonly("enabled", &Op::enabled)
      .def_property_readonly("calls", &Op::calls)
      .def_property_readonly("dispatches", &Op::dispatches)
      .def("enable", &enable, py::arg("limits") = py::none(),
           py::call_guard<py::gil_scoped_release>())
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
