// Forward-mode derivatives of glu and of its backward. Kernels: metal/glu_jvp.metal. Nothing waits.
// glu_jvp takes float16 and bfloat16 too, as on CUDA; the CPU kernel takes neither. What CPU and
// CUDA make of other ops for glu_backward_jvp is one kernel here, for tensors of one floating
// dtype; for others it is made of the same ops.
#include <ATen/TensorOperators.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sigmoid.h>

#include "csrc/core/checks.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/registry.h"

namespace mpsops {

namespace {

using at::Tensor;

constexpr auto kFamily = "glu_jvp";

Tensor glu_jvp(const Tensor& glu, const Tensor& x, const Tensor& dx, int64_t dim) {
  dim = at::maybe_wrap_dim(dim, x.dim());
  const int64_t size = glu.size(dim);
  const Tensor b = x.narrow(dim, size, size);
  const Tensor da = dx.narrow(dim, 0, size);
  const Tensor db = dx.narrow(dim, size, size);
  const Tensor result = at::empty_like(glu);
  auto iterator = at::TensorIteratorConfig()
                      .add_output(result)
                      .add_const_input(glu)
                      .add_const_input(b)
                      .add_const_input(da)
                      .add_const_input(db)
                      .build();
  check_dtype("glu_jvp_cpu", iterator.dtype(), kFloatingDtypes);
  launch_over(kFamily, "glu_jvp", {iterator.dtype()}, iterator);
  return result;
}

// The operands by halves of x and of what is like x.
struct BackwardOperands {
  Tensor grad_a;
  Tensor a;
  Tensor b;
  Tensor da;
  Tensor db;
  Tensor dgrad_glu;
};

// Whether one kernel can take them: one floating dtype, one size.
bool uniform(const BackwardOperands& of) {
  const auto dtype = of.a.scalar_type();
  if (dtype != at::kFloat && dtype != at::kHalf && dtype != at::kBFloat16) {
    return false;
  }
  for (const Tensor* other : {&of.grad_a, &of.b, &of.da, &of.db, &of.dgrad_glu}) {
    if (other->scalar_type() != dtype || other->sizes() != of.a.sizes() ||
        other->device() != of.a.device()) {
      return false;
    }
  }
  return true;
}

Tensor compose(const BackwardOperands& of, int64_t dim) {
  const Tensor s = at::sigmoid(of.b);
  const Tensor y = of.a * s;
  const Tensor db_rest = of.db - of.db * s;
  const Tensor of_a = of.dgrad_glu * s + of.grad_a * db_rest;
  const Tensor of_b = of_a * (of.a - y) + of.grad_a * (of.da - of.da * s - y * db_rest);
  return at::cat({of_a, of_b}, dim);
}

Tensor glu_backward_jvp(const Tensor& grad_x, const Tensor& grad_glu, const Tensor& x,
                        const Tensor& dgrad_glu, const Tensor& dx, int64_t dim) {
  dim = at::maybe_wrap_dim(dim, x.dim());
  const int64_t size = grad_glu.size(dim);
  const BackwardOperands of{grad_x.narrow(dim, 0, size), x.narrow(dim, 0, size),
                            x.narrow(dim, size, size),   dx.narrow(dim, 0, size),
                            dx.narrow(dim, size, size),  dgrad_glu};
  if (!uniform(of)) {
    return compose(of, dim);
  }
  c10::DimVector sizes(x.sizes());
  sizes[dim] = 2 * size;
  const Tensor result = at::empty(sizes, x.options().memory_format(x.suggest_memory_format()));
  const Tensor result_a = result.narrow(dim, 0, size);
  const Tensor result_b = result.narrow(dim, size, size);
  auto iterator = at::TensorIteratorConfig()
                      .add_output(result_a)
                      .add_output(result_b)
                      .add_const_input(of.grad_a)
                      .add_const_input(of.a)
                      .add_const_input(of.b)
                      .add_const_input(of.da)
                      .add_const_input(of.db)
                      .add_const_input(of.dgrad_glu)
                      .build();
  launch_over(kFamily, "glu_backward_jvp", {iterator.dtype()}, iterator);
  return result;
}

}  // namespace

MPSOPS_FAMILY(glu_jvp) {
  family.dtypes(kFloatingDtypes);
  family.missing<glu_jvp>("aten::glu_jvp").opinfo({"glu_jvp"});
  family.missing<glu_backward_jvp>("aten::glu_backward_jvp").opinfo({"glu_backward_jvp"});
}

}  // namespace mpsops
