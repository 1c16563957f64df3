#include "csrc/trace/trace_source.h"

#include <ATen/record_function.h>
#include <c10/util/hash.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>

namespace mpsops::trace {

namespace {

namespace py = pybind11;

constexpr LineId kSkip = ~LineId{0};
constexpr size_t kMaxNodes = size_t{1} << 20;  // for each thread: 24 MiB

std::mutex mutex;

// Never shrinks: as long as the program's text.
struct Lines {
  std::map<std::tuple<std::string, int, bool>, LineId> ids;
  std::deque<Source> sources;
  LineId intern(const Source& source) {
    const auto [found, added] = ids.emplace(std::tuple{source.file, source.line, source.backward},
                                            static_cast<LineId>(sources.size()));
    if (added) {
      sources.push_back(source);
    }
    return found->second;
  }
};

Lines& lines() {
  static auto* instance = [] {
    auto* filled = new Lines();
    filled->intern({});
    filled->intern({"", 0, true});
    return filled;
  }();
  return *instance;
}

std::unordered_map<uint64_t, std::deque<Nodes>>& nodes_of_threads() {
  static auto* instance = new std::unordered_map<uint64_t, std::deque<Nodes>>();
  return *instance;
}

struct Position {
  PyCodeObject* code;
  int instruction;
  bool operator==(const Position&) const = default;
};

struct PositionHash {
  size_t operator()(const Position& position) const {
    return c10::get_hash(position.code, position.instruction);
  }
};

// Guarded by the GIL. Owns its code objects, so that no other comes to have their address.
std::unordered_map<Position, LineId, PositionHash>& positions() {
  static auto* instance = new std::unordered_map<Position, LineId, PositionHash>();
  return *instance;
}

std::vector<std::pair<std::string, bool>>& skipped() {
  static auto* instance = new std::vector<std::pair<std::string, bool>>();
  return *instance;
}

bool is_skipped(const std::string& file) {
  size_t longest = 0;
  bool skip = false;
  for (const auto& [prefix, value] : skipped()) {
    if (prefix.size() >= longest && file.starts_with(prefix)) {
      longest = prefix.size();
      skip = value;
    }
  }
  return skip;
}

LineId locate(const Position& position) {
  const auto found = positions().find(position);
  if (found != positions().end()) {
    return found->second;
  }
  const char* text = PyUnicode_AsUTF8(position.code->co_filename);
  if (text == nullptr) {
    PyErr_Clear();
    text = "?";
  }
  LineId line = kSkip;
  if (!is_skipped(text)) {
    const std::scoped_lock lock(mutex);
    line = lines().intern({text, PyCode_Addr2Line(position.code, position.instruction), false});
  }
  Py_INCREF(position.code);
  positions().emplace(position, line);
  return line;
}

}  // namespace

void set_skipped(std::vector<std::pair<std::string, bool>> prefixes) {
  skipped() = std::move(prefixes);
}

LineId python_line() {
  // Asking for the GIL would make a thread state for a thread that never ran Python.
  if (Py_IsInitialized() == 0 || PyGILState_GetThisThreadState() == nullptr) {
    return kNoLine;
  }
  const py::gil_scoped_acquire gil;
  auto frame = py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* raw = reinterpret_cast<PyFrameObject*>(frame.ptr());
    const auto code =
        py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetCode(raw)));
    const LineId line =
        locate({reinterpret_cast<PyCodeObject*>(code.ptr()), PyFrame_GetLasti(raw)});
    if (line != kSkip) {
      return line;
    }
    frame = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(PyFrame_GetBack(raw)));
  }
  return kNoLine;
}

void remember_nodes(const Nodes& nodes) {
  const uint64_t thread = at::RecordFunction::currentThreadId();
  const std::scoped_lock lock(mutex);
  auto& known = nodes_of_threads()[thread];
  if (known.size() == kMaxNodes) {
    known.pop_front();
  }
  known.push_back(nodes);
}

Nodes find_nodes(uint64_t thread, uint64_t sequence) {
  const std::scoped_lock lock(mutex);
  const auto& known = nodes_of_threads()[thread];
  // In order: a thread's sequence numbers only grow.
  const auto after =
      std::upper_bound(known.begin(), known.end(), sequence,
                       [](uint64_t value, const Nodes& nodes) { return value < nodes.begin; });
  if (after == known.begin() || std::prev(after)->end <= sequence) {
    return {0, 0, kBackward, false};
  }
  Nodes found = *std::prev(after);
  Source forward = lines().sources.at(found.line);
  forward.backward = true;
  found.line = lines().intern(forward);
  return found;
}

Source source(LineId line) {
  const std::scoped_lock lock(mutex);
  return lines().sources.at(line);
}

void forget_sources() {
  for (const auto& [position, line] : positions()) {
    Py_DECREF(position.code);
  }
  positions().clear();
  const std::scoped_lock lock(mutex);
  nodes_of_threads().clear();
}

}  // namespace mpsops::trace
