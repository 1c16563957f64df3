// The kernel families that the build put into this module, one generated .cpp each.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace mpsops::metal {

struct Embedded {
  std::string_view name;
  std::span<const std::string_view> source;   // the flattened text, in pieces
  std::span<const unsigned char> metallib{};  // empty where the build had no Metal compiler
};

// Filled before main() or, in a module, before dlopen() returns; constant from then on.
inline std::vector<const Embedded*>& embedded_families() {
  static std::vector<const Embedded*> families;
  return families;
}

struct EmbeddedInit {
  explicit EmbeddedInit(const Embedded& family) { embedded_families().push_back(&family); }
};

}  // namespace mpsops::metal
