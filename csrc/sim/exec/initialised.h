// Which bytes of threadgroup memory the group has stored to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mpsops::sim {

class Initialised {
 public:
  explicit Initialised(size_t size) : stored_(size) {}

  void forget(size_t offset, size_t size) { fill(offset, size, false); }
  void store(size_t offset, size_t size) { fill(offset, size, true); }

  // How many bytes from `offset` on were stored to, at most `size`.
  size_t count(size_t offset, size_t size) const {
    const auto begin = stored_.begin() + static_cast<ptrdiff_t>(offset);
    return static_cast<size_t>(std::find(begin, begin + static_cast<ptrdiff_t>(size), 0) - begin);
  }

 private:
  void fill(size_t offset, size_t size, bool stored) {
    std::fill_n(stored_.begin() + static_cast<ptrdiff_t>(offset), size, stored ? 1 : 0);
  }

  std::vector<unsigned char> stored_;
};

}  // namespace mpsops::sim
