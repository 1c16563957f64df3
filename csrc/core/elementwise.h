// Elementwise ops: TensorIterator broadcasts, promotes, checks and allocates as in ATen's
// structured kernels, and one dispatch of metal/common/elementwise.h computes. A new op is
//
//   constexpr ElementwiseOp kNdtri{"special_ndtri", "ndtri_cpu"};
//
//   MPSOPS_FAMILY(special_ndtri) {
//     family.dtypes(kFloat32Inputs);
//     family.missing<unary_float<kNdtri>>("aten::special_ndtri");
//     family.missing<unary_float_out<kNdtri>>("aten::special_ndtri.out");
//   }
#pragma once

#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>

#include <initializer_list>

namespace mpsops {

struct ElementwiseOp {
  const char* kernel;      // the name in INSTANTIATE_*_FLOAT32 or _FLOATING
  const char* cpu_kernel;  // as the CPU kernel calls itself when it refuses a dtype
  // Whether float16 and bfloat16 are taken too (_FLOATING), as the CPU kernel does or does not.
  bool floating = false;
  const char* family = kernel;
};

// What promotes to float32, the only dtype of the op's results.
inline constexpr std::initializer_list<at::ScalarType> kFloat32Inputs = {
    at::kFloat, at::kLong, at::kInt,    at::kShort,  at::kChar,
    at::kByte,  at::kBool, at::kUInt16, at::kUInt32, at::kUInt64};

// Launches `op` over a built iterator with one output and one or two inputs.
void launch_elementwise(const ElementwiseOp& op, at::TensorIteratorBase& iterator);

namespace detail {

inline at::Tensor run_unary_float(const ElementwiseOp& op, const at::Tensor& out,
                                  const at::Tensor& self) {
  at::TensorIterator iterator;
  iterator.build_borrowing_unary_float_op(out, self);
  launch_elementwise(op, iterator);
  return iterator.output();
}

inline at::Tensor run_binary_float(const ElementwiseOp& op, const at::Tensor& out,
                                   const at::Tensor& self, const at::Tensor& other) {
  at::TensorIterator iterator;
  iterator.build_borrowing_binary_float_op(out, self, other);
  launch_elementwise(op, iterator);
  return iterator.output();
}

}  // namespace detail

template <const ElementwiseOp& op>
at::Tensor unary_float(const at::Tensor& self) {
  const at::Tensor out;
  return detail::run_unary_float(op, out, self);
}

template <const ElementwiseOp& op>
at::Tensor& unary_float_out(const at::Tensor& self, at::Tensor& out) {
  detail::run_unary_float(op, out, self);
  return out;
}

template <const ElementwiseOp& op>
at::Tensor binary_float(const at::Tensor& self, const at::Tensor& other) {
  const at::Tensor out;
  return detail::run_binary_float(op, out, self, other);
}

template <const ElementwiseOp& op>
at::Tensor& binary_float_out(const at::Tensor& self, const at::Tensor& other, at::Tensor& out) {
  detail::run_binary_float(op, out, self, other);
  return out;
}

}  // namespace mpsops
