#include "csrc/core/elementwise.h"

#include <ATen/ops/scalar_tensor.h>

#include <string>

#include "csrc/core/checks.h"

namespace mpsops {

namespace {

static_assert(kElementwiseFloat32 == static_cast<uint32_t>(at::kFloat) &&
              kElementwiseBFloat16 == static_cast<uint32_t>(at::kBFloat16) &&
              kElementwiseUInt64 == static_cast<uint32_t>(at::kUInt64));

constexpr int kMaxOperands = std::extent_v<decltype(ElementwiseParams::dtypes)>;
// As kElementsPerThread of metal/common/elementwise.h.
constexpr int64_t kElementsPerThread = 4;
// Fewer elements than this fill a GPU better with one thread each.
constexpr int64_t kManyElements = int64_t{1} << 18;

}  // namespace

detail::ElementwiseWalk detail::walk_of(at::TensorIteratorBase& iterator) {
  const int operands = iterator.ntensors();
  TORCH_INTERNAL_ASSERT(operands <= kMaxOperands);
  ElementwiseWalk walk;
  ElementwiseParams& params = walk.params;
  const int64_t count = iterator.numel();
  params.count = static_cast<uint64_t>(count);
  params.ndim = static_cast<uint32_t>(iterator.ndim());
  params.narrow = iterator.can_use_32bit_indexing() ? 1 : 0;
  params.common = static_cast<uint32_t>(iterator.common_dtype());
  for (int operand = 0; operand < operands; ++operand) {
    params.dtypes[operand] = static_cast<uint32_t>(iterator.dtype(operand));
    if (iterator.device(operand).is_cpu()) {
      // TensorIterator lets one 0-d CPU tensor through.
      params.dtypes[operand] = kElementwiseScalar;
    }
    walk.one_dtype &= params.dtypes[operand] == params.common;
  }
  walk.contiguous = iterator.is_contiguous();
  params.threads = static_cast<uint64_t>(walk.contiguous && count >= kManyElements
                                             ? (count + kElementsPerThread - 1) / kElementsPerThread
                                             : count);

  const auto shape = iterator.shape();
  walk.layout.assign(shape.begin(), shape.end());
  for (int operand = 0; operand < operands; ++operand) {
    for (const auto stride : iterator.strides(operand)) {
      walk.layout.push_back(stride / iterator.element_size(operand));
    }
  }
  if (walk.layout.empty()) {
    walk.layout.push_back(1);  // a single element: not read, but Metal binds no empty bytes
  }
  return walk;
}

at::Tensor detail::on_device(const at::Tensor& scalar, const at::Tensor& device_tensor) {
  return at::scalar_tensor(scalar.item(), scalar.options().device(device_tensor.device()));
}

void launch_elementwise(const ElementwiseOp& op, at::TensorIteratorBase& iterator) {
  const auto common = iterator.common_dtype();
  if (op.floating) {
    check_dtype(op.cpu_kernel, common, kFloatingDtypes);
  } else {
    check_dtype(op.cpu_kernel, common, {at::kFloat});
  }
  const int64_t count = iterator.numel();
  if (count == 0) {
    return;
  }
  TORCH_INTERNAL_ASSERT(iterator.noutputs() == 1);
  detail::ElementwiseWalk walk = detail::walk_of(iterator);
  const bool dense = walk.one_dtype && walk.contiguous;
  if (!dense) {
    walk.params.threads = walk.params.count;
  }
  std::string name(op.kernel);
  name += dense ? "_dense" : walk.one_dtype ? "_strided" : "_cast";
  const Kernel& kernel = get_kernel(op.family, walk.one_dtype ? kernel_name(name, {common}) : name);

  Dispatch dispatch{&kernel, grid_for(kernel, static_cast<int64_t>(walk.params.threads)), {}};
  for (int operand = 0; operand < iterator.ntensors(); ++operand) {
    // Metal wants something bound at every index; a scalar's is never read.
    const bool scalar = walk.params.dtypes[operand] == kElementwiseScalar;
    if (scalar) {
      walk.params.scalar = iterator.original_scalar_value<float>(operand);
    }
    dispatch.arguments.push_back(detail::make_argument(iterator.tensor(scalar ? 0 : operand)));
  }
  dispatch.arguments.push_back(detail::make_argument(walk.params));
  if (!dense) {
    dispatch.arguments.push_back(detail::make_layout_argument(walk));
  }
  detail::submit(&dispatch, 1);
}

}  // namespace mpsops
