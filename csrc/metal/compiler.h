// What the runtime asks of Metal's compiler. device.mm answers on a Mac, tests/cpp/fake_metal.h
// elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mpsops::metal {

// A library or a pipeline of Metal, retained for the life of the process.
using Handle = void*;

struct Compiled {
  Handle library = nullptr;
  std::string error{};     // Metal's words; it may have none
  bool in_source = false;  // the source is at fault, not the compiler or the service it runs in
};

struct Made {
  Handle state = nullptr;
  uint32_t max_threads = 0;
  uint32_t static_memory = 0;
  std::string error{};
};

// Several threads call it at once. A null handle is a failure; nothing throws.
class Compiler {
 public:
  virtual ~Compiler() = default;
  virtual bool has_device() = 0;
  virtual Compiled compile(const std::string& source, bool bfloat) = 0;
  virtual Handle load(std::span<const unsigned char> metallib) = 0;
  virtual std::vector<std::string> kernel_names(Handle library) = 0;
  // Nothing if the library has no such kernel.
  virtual std::optional<Made> make_pipeline(Handle library, const std::string& name) = 0;
};

Compiler& compiler();

}  // namespace mpsops::metal
