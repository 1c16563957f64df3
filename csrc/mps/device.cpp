#include "csrc/core/kernel.h"

namespace mpsops {

const c10::DeviceType kDeviceType = c10::kMPS;

}  // namespace mpsops
