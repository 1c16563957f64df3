#include "csrc/core/checked_values.h"

#include <algorithm>

namespace mpsops {

bool CheckedValues::Entry::operator==(const Entry& other) const {
  return storage == other.storage && offset == other.offset && sizes == other.sizes &&
         strides == other.strides && version == other.version && bound == other.bound;
}

CheckedValues::Entry CheckedValues::make_entry(const at::Tensor& tensor, int64_t bound) {
  return {tensor.storage().getWeakStorageImpl(),    tensor.storage_offset(),
          c10::DimVector(tensor.sizes()),           c10::DimVector(tensor.strides()),
          static_cast<uint32_t>(tensor._version()), bound};
}

void CheckedValues::insert(const at::Tensor& tensor, int64_t bound) {
  // Inference tensors do not count their versions.
  if (tensor.is_inference()) {
    return;
  }
  Entry entry = make_entry(tensor, bound);
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_[oldest_] = std::move(entry);
  oldest_ = (oldest_ + 1) % entries_.size();
}

bool CheckedValues::contains(const at::Tensor& tensor, int64_t bound) {
  if (tensor.is_inference()) {
    return false;
  }
  const Entry entry = make_entry(tensor, bound);
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::find(entries_.begin(), entries_.end(), entry) != entries_.end();
}

}  // namespace mpsops
