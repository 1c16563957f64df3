// Overloads that torch lacks on MPS of ops that it has there: its own kernel, then a copy to out=
// where it cannot write there itself. No kernels of ours; nothing waits.
#include <ATen/Dispatch.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/logit.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/real.h>
#include <ATen/ops/std.h>
#include <ATen/ops/var.h>

#include <limits>

#include "csrc/core/checks.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

constexpr std::initializer_list<at::ScalarType> kFloatingAndComplex = {
    at::kFloat, at::kHalf, at::kBFloat16, at::kComplexFloat};

at::Tensor& copy_to(at::Tensor& out, const at::Tensor& result) {
  at::native::resize_output(out, result.sizes());
  return out.copy_(result);
}

void warn_aminmax() {
  TORCH_WARN_ONCE(
      "_aminmax is deprecated as of PyTorch 1.11 and will be removed in a future "
      "release. Use aminmax instead. This warning will only appear once per process.");
}

std::tuple<at::Tensor, at::Tensor> aminmax_all(const at::Tensor& self) {
  warn_aminmax();
  return at::aminmax(self);
}

std::tuple<at::Tensor, at::Tensor> aminmax_dim(const at::Tensor& self, int64_t dim, bool keepdim) {
  warn_aminmax();
  return at::aminmax(self, dim, keepdim);
}

// What the CPU kernels start from, and return where there is nothing to reduce.
at::Scalar no_minimum(at::ScalarType dtype) {
  if (at::isFloatingType(dtype)) {
    return std::numeric_limits<double>::infinity();
  }
  return AT_DISPATCH_INTEGRAL_TYPES_AND(
      at::kBool, dtype, "min_all", [] { return at::Scalar(std::numeric_limits<scalar_t>::max()); });
}

at::Scalar no_maximum(at::ScalarType dtype) {
  if (at::isFloatingType(dtype)) {
    return -std::numeric_limits<double>::infinity();
  }
  return AT_DISPATCH_INTEGRAL_TYPES_AND(at::kBool, dtype, "max_all", [] {
    return at::Scalar(std::numeric_limits<scalar_t>::lowest());
  });
}

// The names make the texts of the checks.
void check_unary_out(const char* name, const at::Tensor& self, const at::Tensor& out) {
  using at::canCast;
  using c10::typeMetaToScalarType;
  TORCH_CHECK(self.device() == out.device());
  // clang-format off: the line is in the text
  TORCH_CHECK(canCast( typeMetaToScalarType(self.dtype()), typeMetaToScalarType(out.dtype())));
  // clang-format on
  check_dtype(name, self.scalar_type(), kAllDtypes);
}

at::Tensor& min_unary_out(const at::Tensor& self, at::Tensor& out) {
  check_unary_out("min_all", self, out);
  if (self.numel() == 0) {
    at::native::resize_output(out, {});
    return out.fill_(no_minimum(self.scalar_type()));
  }
  return copy_to(out, at::min(self));
}

at::Tensor& max_unary_out(const at::Tensor& self, at::Tensor& out) {
  check_unary_out("max_all", self, out);
  if (self.numel() == 0) {
    at::native::resize_output(out, {});
    return out.fill_(no_maximum(self.scalar_type()));
  }
  return copy_to(out, at::max(self));
}

void check_std_var_out(const at::Tensor& self, const at::Tensor& out) {
  TORCH_CHECK(self.layout() == at::kStrided,
              "std and var only supports strided layout, got: ", self.layout());
  TORCH_CHECK(self.is_floating_point() || self.is_complex(),
              "std and var only support floating point and complex dtypes");
  TORCH_CHECK(
      at::canCast(self.is_complex() ? c10::toRealValueType(self.scalar_type()) : self.scalar_type(),
                  out.scalar_type()),
      "result type ", self.scalar_type(), " can't be cast to the desired output type ",
      out.scalar_type());
  TORCH_CHECK_NOT_IMPLEMENTED(self.is_complex() || !out.is_complex(),
                              "\"std_cpu\" not implemented for '", toString(out.scalar_type()),
                              "'");
}

// In the dtype of the output, as by the CPU kernel. Of complex numbers the variance is that of the
// real parts and that of the imaginary parts.
at::Tensor variance(const at::Tensor& self, at::OptionalIntArrayRef dim,
                    const std::optional<at::Scalar>& correction, bool keepdim,
                    at::ScalarType dtype) {
  if (self.is_complex()) {
    const auto real = c10::toRealValueType(dtype);
    return variance(at::real(self), dim, correction, keepdim, real)
        .add_(variance(at::imag(self), dim, correction, keepdim, real));
  }
  return at::var(self.to(dtype), dim, correction, keepdim);
}

at::Tensor& var_out(const at::Tensor& self, at::OptionalIntArrayRef dim,
                    const std::optional<at::Scalar>& correction, bool keepdim, at::Tensor& out) {
  check_same_device("var", {{"self", self}, {"out", out}});
  check_std_var_out(self, out);
  return copy_to(out, variance(self, dim, correction, keepdim, out.scalar_type()));
}

at::Tensor& std_out(const at::Tensor& self, at::OptionalIntArrayRef dim,
                    const std::optional<at::Scalar>& correction, bool keepdim, at::Tensor& out) {
  check_same_device("std", {{"self", self}, {"out", out}});
  check_std_var_out(self, out);
  const auto dtype = out.scalar_type();
  return copy_to(out, self.is_complex() ? variance(self, dim, correction, keepdim, dtype).sqrt_()
                                        : at::std(self.to(dtype), dim, correction, keepdim));
}

at::Tensor& logit_inplace(at::Tensor& self, std::optional<double> eps) {
  return at::logit_out(self, self, eps);
}

at::Tensor& narrow_copy_out(const at::Tensor& self, int64_t dim, int64_t start, int64_t length,
                            at::Tensor& output) {
  check_same_device("narrow_copy_out", {{"self", self}, {"out", output}});
  TORCH_CHECK(self.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
  TORCH_CHECK(self.dtype() == output.dtype());
  const auto self_sizes = self.sizes();
  if (dim < 0) {
    dim = at::maybe_wrap_dim(dim, self.dim());
  } else {
    TORCH_CHECK(dim < static_cast<int64_t>(self_sizes.size()));
  }
  const int64_t size = self_sizes[dim];
  TORCH_CHECK_INDEX(-size <= start && start <= size,
                    "start out of range (expected to be in range of [", -size, ", ", size,
                    "], but got ", start, ")");
  start += start < 0 ? size : 0;
  TORCH_CHECK(length >= 0 && start <= size - length, "start (", start, ") + length (", length,
              ") exceeds dimension size (", size, ").");
  return copy_to(output, self.narrow(dim, start, length));
}

}  // namespace

MPSOPS_FAMILY(torch_overloads) {
  family.dtypes(kAllDtypes);
  family.missing<aminmax_all>("aten::_aminmax").opinfo({"_aminmax"}).max_dispatches(0);
  family.missing<aminmax_dim>("aten::_aminmax.dim").opinfo({"_aminmax"}).max_dispatches(0);
  family.missing<min_unary_out>("aten::min.unary_out").opinfo({"min_unary_out"}).max_dispatches(0);
  family.missing<max_unary_out>("aten::max.unary_out").opinfo({"max_unary_out"}).max_dispatches(0);
  family.missing<std_out>("aten::std.correction_out")
      .dtypes(kFloatingAndComplex)
      .opinfo({"std_correction_out"})
      .max_dispatches(0);
  family.missing<var_out>("aten::var.correction_out")
      .dtypes(kFloatingAndComplex)
      .opinfo({"var_correction_out"})
      .max_dispatches(0);
  family.missing<logit_inplace>("aten::logit_")
      .dtypes(kFloatingDtypes)
      .opinfo({"logit_"})
      .max_dispatches(0);
  family.missing<narrow_copy_out>("aten::narrow_copy.out")
      .opinfo({"narrow_copy_out"})
      .max_dispatches(0);
}

}  // namespace mpsops
