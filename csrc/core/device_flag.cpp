#include "csrc/core/device_flag.h"

#include <ATen/ops/zeros.h>

#include <mutex>
#include <vector>

#include "csrc/core/kernel.h"

namespace mpsops {

namespace {

// Zeroed words that no call uses. Leaked: at exit the device's allocator may be gone already.
struct Pool {
  std::mutex mutex;
  std::vector<at::Tensor> words;
};

Pool& pool() {
  static auto* pool = new Pool();
  return *pool;
}

at::Tensor make_word() {
  return at::zeros({1}, at::TensorOptions().dtype(at::kInt).device(kDeviceType));
}

const at::Tensor& unread_word() {
  static const auto* word = new at::Tensor(make_word());
  return *word;
}

}  // namespace

DeviceFlag::DeviceFlag(bool needed) : needed_(needed) {
  if (!needed) {
    word_ = unread_word();
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    if (!pool().words.empty()) {
      word_ = std::move(pool().words.back());
      pool().words.pop_back();
      return;
    }
  }
  word_ = make_word();
}

// A word that was raised, or never read, is not known to be zero and goes back to the allocator.
DeviceFlag::~DeviceFlag() {
  if (clean_) {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    pool().words.push_back(std::move(word_));
  }
}

uint32_t DeviceFlag::read() {
  if (!needed_) {
    return 0;
  }
  const auto bits = static_cast<uint32_t>(word_.item<int32_t>());
  clean_ = bits == 0;
  return bits;
}

}  // namespace mpsops
