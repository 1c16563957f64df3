// Elementwise ops: TensorIterator broadcasts, promotes, checks and allocates as in ATen's
// structured kernels, and one dispatch computes: of metal/common/elementwise.h, or of a kernel that
// binds in the same way (launch_over). A new op with float results is
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
#include <c10/util/SmallVector.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "csrc/core/kernel.h"
#include "metal/params/elementwise.h"

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

// How a kernel walks the operands of an iterator.
struct ElementwiseWalk {
  ElementwiseParams params{};
  bool one_dtype = true;    // all operands are of the common dtype
  bool contiguous = false;  // all in the same order: kernels need no layout
  // Sizes, then each operand's strides in elements; innermost dimension first.
  c10::SmallVector<int64_t, 24> layout;
};
ElementwiseWalk walk_of(at::TensorIteratorBase& iterator);

// A 0-d tensor of the CPU, as one beside `device_tensor`; nothing waits.
at::Tensor on_device(const at::Tensor& scalar, const at::Tensor& device_tensor);

inline Argument make_layout_argument(const ElementwiseWalk& walk) {
  Argument argument{Argument::Kind::kBytes};
  argument.large = walk.layout.data();
  argument.size = static_cast<uint32_t>(walk.layout.size() * sizeof(int64_t));
  return argument;
}

}  // namespace detail

// Launches <stem>_dense_<dtypes> of `family` over a built iterator, or <stem>_strided_<dtypes>
// where the operands are not contiguous. It binds the operands, outputs first, then
// ElementwiseParams, `extra`, and for a strided kernel the layout. CPU scalars are put on the
// device. A thread of a dense kernel takes up to 4 elements, params.threads apart, or else, dense
// or strided, so many neighbours as `Neighbours` says.
template <int64_t Neighbours = 0, class... Extra>
void launch_over(std::string_view family, std::string_view stem,
                 std::initializer_list<at::ScalarType> dtypes, at::TensorIteratorBase& iterator,
                 const Extra&... extra) {
  if (iterator.numel() == 0) {
    return;
  }
  detail::ElementwiseWalk walk = detail::walk_of(iterator);
  if constexpr (Neighbours > 0) {
    walk.params.threads = (walk.params.count + Neighbours - 1) / Neighbours;
  }
  c10::SmallVector<at::Tensor, 8> scalars(iterator.ntensors());
  const Kernel& kernel = get_kernel(
      family, kernel_name(std::string(stem) + (walk.contiguous ? "_dense" : "_strided"), dtypes));
  Dispatch dispatch{&kernel, grid_for(kernel, static_cast<int64_t>(walk.params.threads)), {}};
  for (int operand = 0; operand < iterator.ntensors(); ++operand) {
    const at::Tensor* tensor = &iterator.tensor(operand);
    if (walk.params.dtypes[operand] == kElementwiseScalar) {
      scalars[operand] = detail::on_device(*tensor, iterator.tensor(0));
      tensor = &scalars[operand];
    }
    dispatch.arguments.push_back(detail::make_argument(*tensor));
  }
  dispatch.arguments.push_back(detail::make_argument(walk.params));
  (dispatch.arguments.push_back(detail::make_argument(extra)), ...);
  if (!walk.contiguous) {
    dispatch.arguments.push_back(detail::make_layout_argument(walk));
  }
  detail::submit(&dispatch, 1);
}

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
