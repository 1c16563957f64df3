#include "csrc/sim/exec/source_lines.h"

#include <c10/util/StringUtil.h>
#include <torch/csrc/utils/pybind.h>

#include <charconv>

namespace py = pybind11;

namespace mpsops::sim {

namespace {
constexpr char kMark = '\x01';
}  // namespace

std::string line_of(const void* address) {
  return c10::str(kMark, reinterpret_cast<uintptr_t>(address), kMark);
}

std::string with_lines(const std::string& text, const KernelLibrary& library) {
  if (text.find(kMark) == std::string::npos) {
    return text;
  }
  const py::gil_scoped_acquire gil;
  const auto locate = py::module_::import("mpsops.msl._source_lines").attr("locate");
  std::string out;
  size_t at = 0;
  for (size_t begin; (begin = text.find(kMark, at)) != std::string::npos;) {
    const size_t end = text.find(kMark, begin + 1);
    uintptr_t address = 0;
    std::from_chars(text.data() + begin + 1, text.data() + end, address);
    out.append(text, at, begin - at);
    out +=
        locate(library.path(), address - reinterpret_cast<uintptr_t>(library.table().image_begin))
            .cast<std::string>();
    at = end + 1;
  }
  return out.append(text, at);
}

}  // namespace mpsops::sim
