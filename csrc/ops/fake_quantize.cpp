// Kernels: metal/fake_quantize.metal. With a scale and a zero point in tensors, nothing waits for
// the device as long as the zero point is of a dtype that fits int32. Where it is not, and for
// integer zero points of channels, a call with one not seen before waits once, to raise for values
// out of range as the CPU does (csrc/core/device_flag.h).
#include "csrc/ops/fake_quantize.h"

#include <ATen/DimVector.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>

#include <algorithm>
#include <optional>

#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

constexpr auto kFamily = "fake_quantize";

at::Tensor or_unread(const at::Tensor& tensor, const at::Tensor& bound_instead) {
  return tensor.defined() ? tensor : bound_instead;
}

uint32_t dtype_code(const char* argument, const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return 0;
  }
  TORCH_CHECK(!tensor.is_complex(), "fake_quantize: ", argument, " must be real, got ",
              tensor.scalar_type());
  return static_cast<uint32_t>(tensor.scalar_type());
}

void set_dtypes(FakeQuantizeParams& params, const QuantizationTensors& qparams) {
  params.scale_dtype = dtype_code("scale", qparams.scale);
  params.zero_point_dtype = dtype_code("zero_point", qparams.zero_point);
  params.enabled_dtype = dtype_code("fake_quant_enabled", qparams.enabled);
  params.has_switch = qparams.enabled.defined() ? 1 : 0;
}

OutputAndMask make_outputs(const at::Tensor& self) {
  return {at::empty_like(self, self.options(), at::MemoryFormat::Preserve),
          at::empty_like(self, self.options().dtype(at::kBool), at::MemoryFormat::Preserve)};
}

at::TensorIterator make_iterator(const OutputAndMask& outputs, const at::Tensor& self) {
  return at::TensorIteratorConfig()
      .check_all_same_dtype(false)
      .add_output(std::get<0>(outputs))
      .add_output(std::get<1>(outputs))
      .add_const_input(self)
      .build();
}

// Zero points that are known to be in range.
CheckedValues& checked_zero_points() {
  static auto* zero_points = new CheckedValues();
  return *zero_points;
}

// A zero point that item().toInt() takes whatever its value.
bool fits_int(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBool:
    case at::kByte:
    case at::kChar:
    case at::kShort:
    case at::kInt:
    case at::kUInt16:
      return true;
    default:
      return false;
  }
}

std::tuple<at::Tensor, at::Tensor> fake_quantize_per_tensor(const at::Tensor& self, double scale,
                                                            int64_t zero_point, int64_t quant_min,
                                                            int64_t quant_max) {
  auto params = make_fake_quantize_params(kZeroPointGiven, quant_min, quant_max);
  TORCH_CHECK(zero_point >= quant_min && zero_point <= quant_max,
              "`zero_point` must be between `quant_min` and `quant_max`.");
  params.scale = static_cast<float>(scale);
  params.zero_point = zero_point;
  return fake_quantize_tensor(self, {}, params, DeviceFlag(false));
}

std::tuple<at::Tensor, at::Tensor> fake_quantize_per_tensor_with_tensors(
    const at::Tensor& self, const at::Tensor& scale, const at::Tensor& zero_point,
    const at::Tensor& enabled, int64_t quant_min, int64_t quant_max) {
  check_same_device("_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
                    {{"self", self},
                     {"scale", scale},
                     {"zero_point", zero_point},
                     {"fake_quant_enabled", enabled}});
  const auto params = make_fake_quantize_params(kZeroPointInteger, quant_min, quant_max);
  constexpr int64_t kInt = 0;  // what checked_zero_points() knows them to fit
  ValueCheck flag(checked_zero_points(), zero_point, kInt, !fits_int(zero_point.scalar_type()));
  auto outputs = fake_quantize_tensor(
      self, {single_value(scale), single_value(zero_point), single_value(enabled)}, params, flag);
  TORCH_CHECK(flag.read() == 0, "value cannot be converted to type int without overflow");
  return outputs;
}

// Both ends of the range in one number, unless they are far apart: then it is not remembered.
std::optional<int64_t> bound_of(int64_t quant_min, int64_t quant_max) {
  constexpr int64_t kLimit = int64_t{1} << 30;
  if (quant_min < -kLimit || quant_max >= kLimit) {
    return std::nullopt;
  }
  return (quant_min + kLimit) * (4 * kLimit) + quant_max + kLimit + 1;
}

void check_zero_points(const at::Tensor& zero_point, int64_t quant_min, int64_t quant_max) {
  TORCH_CHECK(
      at::min(zero_point).item<int>() >= quant_min && at::max(zero_point).item<int>() <= quant_max,
      "`zero_point` must be between `quant_min` and `quant_max`.");
}

std::tuple<at::Tensor, at::Tensor> fake_quantize_per_channel(const at::Tensor& self,
                                                             const at::Tensor& scale,
                                                             const at::Tensor& zero_point,
                                                             int64_t axis, int64_t quant_min,
                                                             int64_t quant_max) {
  check_same_device("fake_quantize_per_channel_affine_cachemask",
                    {{"self", self}, {"scale", scale}, {"zero_point", zero_point}});
  const auto dtype = zero_point.scalar_type();
  const bool real = at::isFloatingType(dtype);
  check_scale_dtype(scale);
  TORCH_CHECK(dtype == at::kInt || dtype == at::kFloat || dtype == at::kHalf,
              "Zero-point must be Int32, Float or Half, found ", dtype);
  check_channels(self, scale, zero_point, axis);
  const auto params =
      make_fake_quantize_params(real ? kZeroPointReal : kZeroPointInteger, quant_min, quant_max);
  if (!real && self.numel() == 0) {
    check_zero_points(zero_point, quant_min, quant_max);
  }
  const auto bound = bound_of(quant_min, quant_max);
  DeviceFlag flag(!real && self.numel() > 0 &&
                  !(bound && checked_zero_points().contains(zero_point, *bound)));
  auto outputs = fake_quantize_channels(self, {scale, zero_point, {}}, axis, params, flag);
  TORCH_CHECK(flag.read() == 0, "`zero_point` must be between `quant_min` and `quant_max`.");
  if (flag.needed() && bound) {
    checked_zero_points().insert(zero_point, *bound);
  }
  return outputs;
}

}  // namespace

FakeQuantizeParams make_fake_quantize_params(FakeQuantizeZeroPoint source, int64_t quant_min,
                                             int64_t quant_max) {
  TORCH_CHECK(quant_min <= quant_max,
              "`quant_min` should be less than or         equal to `quant_max`.");
  FakeQuantizeParams params{};
  params.quant_min = quant_min;
  params.quant_max = quant_max;
  params.source = source;
  return params;
}

const at::Tensor& single_value(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.numel() == 1, "a Tensor with ", tensor.numel(),
              " elements cannot be converted to Scalar");
  return tensor;
}

void check_scale_dtype(const at::Tensor& scale) {
  TORCH_CHECK(scale.scalar_type() == at::kFloat || scale.scalar_type() == at::kBFloat16,
              "Scale must be Float or BFloat16, found ", scale.scalar_type());
}

void check_channels(const at::Tensor& self, const at::Tensor& scale, const at::Tensor& zero_point,
                    int64_t axis) {
  TORCH_CHECK(scale.dim() == 1, "scale should be a 1-D tensor");
  TORCH_CHECK(zero_point.dim() == 1, "zero point should be a 1-D tensor");
  TORCH_CHECK(scale.numel() == zero_point.numel(),
              "scale and zero-point need to have the same dimensions");
  TORCH_CHECK(scale.numel() == self.size(axis),
              "dimensions of scale and zero-point are not consistent with input tensor");
}

OutputAndMask fake_quantize_tensor(const at::Tensor& self, const QuantizationTensors& qparams,
                                   FakeQuantizeParams params, const DeviceFlag& flag) {
  check_dtype("fake_quantize_tensor_cachemask_kernel_type_handling", self.scalar_type(),
              kFloatingDtypes);
  set_dtypes(params, qparams);
  auto outputs = make_outputs(self);
  at::TensorIterator iterator = make_iterator(outputs, self);
  launch_over(kFamily, "fake_quantize_tensor", {self.scalar_type()}, iterator,
              or_unread(qparams.scale, self), or_unread(qparams.zero_point, self),
              or_unread(qparams.enabled, self), flag.word(), params);
  return outputs;
}

OutputAndMask fake_quantize_channels(const at::Tensor& self, const QuantizationTensors& qparams,
                                     int64_t axis, FakeQuantizeParams params,
                                     const DeviceFlag& flag) {
  TORCH_CHECK(axis >= 0 && axis <= self.dim(),
              "`axis` must be between 0 and number of dimensions of input");
  check_dtype("fake_quantize_channel_cachemask_cpu_type_handling", self.scalar_type(),
              kFloatingDtypes);
  set_dtypes(params, qparams);
  auto outputs = make_outputs(self);
  const at::Tensor enabled = or_unread(qparams.enabled, self);
  at::TensorIterator iterator = make_iterator(outputs, self);
  if (iterator.is_contiguous()) {
    const FakeQuantizeChannels channels{self.size(axis), std::max<int64_t>(self.stride(axis), 1),
                                        qparams.scale.stride(0), qparams.zero_point.stride(0)};
    launch_over(kFamily, "fake_quantize_channel", {self.scalar_type()}, iterator, qparams.scale,
                qparams.zero_point, enabled, flag.word(), params, channels);
    return outputs;
  }
  at::DimVector shape(self.dim(), 1);
  shape[axis] = self.size(axis);
  at::TensorIterator with_channels = at::TensorIteratorConfig()
                                         .check_all_same_dtype(false)
                                         .add_output(std::get<0>(outputs))
                                         .add_output(std::get<1>(outputs))
                                         .add_const_input(self)
                                         .add_owned_const_input(qparams.scale.view(shape))
                                         .add_owned_const_input(qparams.zero_point.view(shape))
                                         .build();
  launch_over(kFamily, "fake_quantize_channel", {self.scalar_type()}, with_channels, enabled,
              flag.word(), params);
  return outputs;
}

MPSOPS_FAMILY(fake_quantize) {
  family.dtypes(kFloatingDtypes);
  family.missing<fake_quantize_per_tensor>("aten::fake_quantize_per_tensor_affine_cachemask")
      .opinfo({"fake_quantize_per_tensor_affine_cachemask"});
  family
      .missing<fake_quantize_per_tensor_with_tensors>(
          "aten::_fake_quantize_per_tensor_affine_cachemask_tensor_qparams")
      .opinfo({"_fake_quantize_per_tensor_affine_cachemask_tensor_qparams"});
  family.missing<fake_quantize_per_channel>("aten::fake_quantize_per_channel_affine_cachemask")
      .opinfo({"fake_quantize_per_channel_affine_cachemask"});
}

}  // namespace mpsops
