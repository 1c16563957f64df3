// The kernel families that the build put into this module, one generated .cpp each.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mpsops {

struct Embedded {
  std::string_view name;
  std::span<const std::string_view> pieces;   // the flattened text
  std::span<const unsigned char> metallib{};  // empty where the build had no Metal compiler

  // What newLibraryWithSource is given.
  std::string source() const {
    std::string text;
    for (const auto piece : pieces) {
      text += piece;
    }
    return text;
  }
};

// Filled before main() or, in a module, before dlopen() returns; constant from then on.
inline std::vector<const Embedded*>& embedded_families() {
  static std::vector<const Embedded*> families;
  return families;
}

struct EmbeddedInit {
  explicit EmbeddedInit(const Embedded& family) { embedded_families().push_back(&family); }
};

}  // namespace mpsops
