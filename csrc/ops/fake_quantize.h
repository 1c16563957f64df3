// The forward of fake quantization, which plain, learnable and observing ops share.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

#include "csrc/core/device_flag.h"
#include "metal/params/fake_quantize.h"

namespace mpsops {

// The tensors with the quantization parameters: of one value, or of one for each channel. Undefined
// ones are not read.
struct QuantizationTensors {
  at::Tensor scale;
  at::Tensor zero_point;
  at::Tensor enabled;
};

// As the CPU ops check, before anything else.
FakeQuantizeParams make_fake_quantize_params(FakeQuantizeZeroPoint source, int64_t quant_min,
                                             int64_t quant_max);

// The only value of a tensor, as item() finds it, still on the device.
const at::Tensor& single_value(const at::Tensor& tensor);

using OutputAndMask = std::tuple<at::Tensor, at::Tensor>;

// One dispatch each. The flag is raised by zero points that the CPU kernel refuses.
OutputAndMask fake_quantize_tensor(const at::Tensor& self, const QuantizationTensors& qparams,
                                   FakeQuantizeParams params, const DeviceFlag& flag);
OutputAndMask fake_quantize_channels(const at::Tensor& self, const QuantizationTensors& qparams,
                                     int64_t axis, FakeQuantizeParams params,
                                     const DeviceFlag& flag);

// The checks that the per-channel ops have in common; fake_quantize_channels has to follow.
void check_scale_dtype(const at::Tensor& scale);
void check_channels(const at::Tensor& self, const at::Tensor& scale, const at::Tensor& zero_point,
                    int64_t axis);

}  // namespace mpsops
