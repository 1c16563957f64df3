// Fake quantization whose scale and zero point are learned. Kernels: metal/fake_quantize.metal
// forward, metal/fake_quantize_learnable.metal backward. Nothing waits for the device: the one
// value that the CPU refuses here, a zero point of NaN, turns results into NaN instead.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/min.h>

#include <optional>
#include <tuple>

#include "csrc/core/channels.h"
#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/ops/fake_quantize.h"
#include "metal/params/fake_quantize_learnable.h"

namespace mpsops {

namespace {

constexpr auto kFamily = "fake_quantize_learnable";

using Gradients = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// tensor[0].item(), still on the device.
at::Tensor first_value(const at::Tensor& tensor) {
  return single_value(tensor.select(0, 0));
}

// As zero_point.round().clamp_() refuses them.
void check_zero_point_dtype(at::ScalarType dtype) {
  const bool wide_unsigned = dtype == at::kUInt16 || dtype == at::kUInt32 || dtype == at::kUInt64;
  check_dtype(wide_unsigned ? "clamp_scalar_cpu" : "round_vml_cpu", dtype,
              {at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
               at::kByte});
}

at::Tensor learnable_per_tensor(const at::Tensor& self, const at::Tensor& scale,
                                const at::Tensor& zero_point, int64_t quant_min, int64_t quant_max,
                                double /*grad_factor*/) {
  check_same_device("_fake_quantize_learnable_per_tensor_affine",
                    {{"self", self}, {"scale", scale}, {"zero_point", zero_point}});
  const QuantizationTensors qparams{first_value(scale), first_value(zero_point), {}};
  const auto params = make_fake_quantize_params(kZeroPointLearnable, quant_min, quant_max);
  return std::get<0>(fake_quantize_tensor(self, qparams, params, DeviceFlag(false)));
}

at::Tensor learnable_per_channel(const at::Tensor& self, const at::Tensor& scale,
                                 const at::Tensor& zero_point, int64_t axis, int64_t quant_min,
                                 int64_t quant_max, double /*grad_factor*/) {
  check_same_device("_fake_quantize_learnable_per_channel_affine",
                    {{"self", self}, {"scale", scale}, {"zero_point", zero_point}});
  check_zero_point_dtype(zero_point.scalar_type());
  check_scale_dtype(scale);
  check_channels(self, scale, zero_point, axis);
  const auto params = make_fake_quantize_params(kZeroPointLearnable, quant_min, quant_max);
  if (zero_point.numel() == 0) {
    at::min(zero_point);  // raises
  }
  return std::get<0>(
      fake_quantize_channels(self, {scale, zero_point, {}}, axis, params, DeviceFlag(false)));
}

// TORCH_CHECK of the CPU kernel, after its conversion of bfloat16 to float.
void check_float(const char* name, const at::Tensor& tensor, bool converted) {
  TORCH_CHECK(converted || tensor.scalar_type() == at::kFloat, "Expected ", name,
              ".scalar_type() == ScalarType::Float to be true, but got false.  (Could this error "
              "message be improved?  If so, please report an enhancement request to PyTorch.)");
}

void check_dtypes(const at::Tensor& grad, const at::Tensor& self, const at::Tensor& scale,
                  const at::Tensor& zero_point) {
  const bool converted = self.scalar_type() == at::kBFloat16;
  check_float("dY_", grad, converted);
  check_float("X_", self, converted);
  check_float("scale_", scale, converted);
  check_float("zero_point_", zero_point, converted);
}

Gradients backward(const at::Tensor& grad, const at::Tensor& self, const at::Tensor& scale,
                   const at::Tensor& zero_point, std::optional<int64_t> axis, int64_t quant_min,
                   int64_t quant_max, double grad_factor) {
  const bool mixed = grad.scalar_type() != self.scalar_type();
  const at::Tensor x = mixed ? self.to(at::kFloat) : self;
  const at::Tensor dy = mixed ? grad.to(at::kFloat) : grad;
  at::Tensor grad_input =
      at::empty_like(self, self.options().dtype(at::kFloat), at::MemoryFormat::Preserve);
  const Channels channels = make_channels({grad_input, x, dy}, axis);
  const int64_t count = channels.params.channels;
  const uint32_t splits = channels.params.splits;
  const auto options = self.options().dtype(at::kFloat);
  at::Tensor grad_scale = at::empty({count}, options);
  at::Tensor grad_zero_point = at::empty({count}, options);
  const at::Tensor partials = splits > 1 ? at::empty({count * splits * 2}, options) : grad_scale;

  FakeQuantizeLearnableParams params{};
  params.quant_min = quant_min;
  params.quant_max = quant_max;
  params.scale_stride = axis.has_value() ? scale.stride(0) : 0;
  params.zero_point_stride = axis.has_value() ? zero_point.stride(0) : 0;
  params.grad_factor = static_cast<float>(grad_factor);
  params.scale_dtype = static_cast<uint32_t>(scale.scalar_type());
  params.zero_point_dtype = static_cast<uint32_t>(zero_point.scalar_type());
  params.adds_half = axis.has_value() ? 0 : 1;

  const Kernel& kernel =
      get_kernel(kFamily, kernel_name("fake_quantize_learnable_backward", {x.scalar_type()}));
  auto first =
      make_dispatch(kernel, channels.groups, grad_input, x, dy, scale, zero_point, grad_scale,
                    grad_zero_point, partials, params, channels.params, channels.walk.params);
  first.arguments.push_back(detail::make_layout_argument(channels.walk));
  if (splits > 1) {
    launch_all({first, make_dispatch(get_kernel(kFamily, "fake_quantize_learnable_total"),
                                     groups_for(count, 32), grad_scale, grad_zero_point, partials,
                                     channels.params)});
  } else {
    launch_all({first});
  }
  return {std::move(grad_input), std::move(grad_scale), std::move(grad_zero_point)};
}

// The CPU kernel returns its arguments, which the schema says are not aliased.
Gradients of_nothing(const at::Tensor& self, const at::Tensor& scale,
                     const at::Tensor& zero_point) {
  return {self.clone(), scale.clone(), zero_point.clone()};
}

Gradients learnable_per_tensor_backward(const at::Tensor& grad, const at::Tensor& self,
                                        const at::Tensor& scale, const at::Tensor& zero_point,
                                        int64_t quant_min, int64_t quant_max, double grad_factor) {
  check_same_device("_fake_quantize_learnable_per_tensor_affine_backward",
                    {{"grad", grad}, {"self", self}, {"scale", scale}, {"zero_point", zero_point}});
  const at::Tensor one_scale = first_value(scale);
  const at::Tensor one_zero_point = first_value(zero_point);
  check_dtypes(grad, self, scale, zero_point);
  TORCH_CHECK(self.numel() == grad.numel(), "`X` and `dY` are not the same size");
  TORCH_CHECK(quant_min <= 0 && quant_max >= 0,
              "`quant_min` should be less than or         equal to `quant_max`, and the "
              "quantization range should include 0.");
  if (self.numel() == 0) {
    return of_nothing(self, scale, zero_point);
  }
  return backward(grad, self, one_scale, one_zero_point, std::nullopt, quant_min, quant_max,
                  grad_factor);
}

Gradients learnable_per_channel_backward(const at::Tensor& grad, const at::Tensor& self,
                                         const at::Tensor& scale, const at::Tensor& zero_point,
                                         int64_t axis, int64_t quant_min, int64_t quant_max,
                                         double grad_factor) {
  check_same_device("_fake_quantize_learnable_per_channel_affine_backward",
                    {{"grad", grad}, {"self", self}, {"scale", scale}, {"zero_point", zero_point}});
  check_dtypes(grad, self, scale, zero_point);
  TORCH_CHECK(self.sizes() == grad.sizes(), "`X` and `dY` are not the same size");
  TORCH_CHECK(quant_min <= 0 && quant_max >= 0, "Expecting `quant_min` <= 0 and `quant_max` >= 0");
  check_channels(self, scale, zero_point, axis);
  if (zero_point.numel() == 0) {
    at::min(zero_point);  // raises
  }
  TORCH_CHECK(axis >= 0 && axis < self.dim(),
              "`axis` must be between 0 and number of dimensions of input");
  if (self.numel() == 0) {
    return of_nothing(self, scale, zero_point);
  }
  return backward(grad, self, scale, zero_point, axis, quant_min, quant_max, grad_factor);
}

}  // namespace

MPSOPS_FAMILY(fake_quantize_learnable) {
  family.dtypes(kFloatingDtypes);
  family.missing<learnable_per_tensor>("aten::_fake_quantize_learnable_per_tensor_affine")
      .opinfo({"_fake_quantize_learnable_per_tensor_affine"});
  family.missing<learnable_per_channel>("aten::_fake_quantize_learnable_per_channel_affine")
      .opinfo({"_fake_quantize_learnable_per_channel_affine"});
  family
      .missing<learnable_per_tensor_backward>(
          "aten::_fake_quantize_learnable_per_tensor_affine_backward")
      .opinfo({"_fake_quantize_learnable_per_tensor_affine"})
      .dtypes({at::kFloat, at::kBFloat16})
      .max_dispatches(2);
  family
      .missing<learnable_per_channel_backward>(
          "aten::_fake_quantize_learnable_per_channel_affine_backward")
      .opinfo({"_fake_quantize_learnable_per_channel_affine"})
      .dtypes({at::kFloat, at::kBFloat16})
      .max_dispatches(2);
}

}  // namespace mpsops
