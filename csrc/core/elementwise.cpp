#include "csrc/core/elementwise.h"

#include <c10/util/SmallVector.h>

#include <string>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "metal/params/elementwise.h"

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

// Sizes, then each operand's strides in elements; innermost dimension first.
c10::SmallVector<int64_t, 24> layout_of(const at::TensorIteratorBase& iterator) {
  const auto shape = iterator.shape();
  c10::SmallVector<int64_t, 24> layout(shape.begin(), shape.end());
  for (int operand = 0; operand < iterator.ntensors(); ++operand) {
    for (const auto stride : iterator.strides(operand)) {
      layout.push_back(stride / iterator.element_size(operand));
    }
  }
  if (layout.empty()) {
    layout.push_back(1);  // a single element: not read, but Metal binds no empty bytes
  }
  return layout;
}

}  // namespace

void launch_elementwise(const ElementwiseOp& op, at::TensorIteratorBase& iterator) {
  const auto common = iterator.common_dtype();
  if (op.floating) {
    check_dtype(op.cpu_kernel, common, {at::kFloat, at::kHalf, at::kBFloat16});
  } else {
    check_dtype(op.cpu_kernel, common, {at::kFloat});
  }
  const int64_t count = iterator.numel();
  if (count == 0) {
    return;
  }
  const int operands = iterator.ntensors();
  TORCH_INTERNAL_ASSERT(iterator.noutputs() == 1 && operands <= kMaxOperands);

  ElementwiseParams params{};
  params.count = static_cast<uint64_t>(count);
  params.ndim = static_cast<uint32_t>(iterator.ndim());
  params.narrow = iterator.can_use_32bit_indexing() ? 1 : 0;
  params.common = static_cast<uint32_t>(common);
  bool one_dtype = true;
  for (int operand = 0; operand < operands; ++operand) {
    params.dtypes[operand] = static_cast<uint32_t>(iterator.dtype(operand));
    if (iterator.device(operand).is_cpu()) {
      // TensorIterator lets one 0-d CPU tensor through.
      params.dtypes[operand] = kElementwiseScalar;
      params.scalar = iterator.original_scalar_value<float>(operand);
    }
    one_dtype &= params.dtypes[operand] == params.common;
  }
  const bool dense = one_dtype && iterator.is_contiguous();

  std::string name(op.kernel);
  name += dense ? "_dense" : one_dtype ? "_strided" : "_cast";
  const Kernel& kernel = get_kernel(op.family, one_dtype ? kernel_name(name, {common}) : name);

  int64_t threads = count;
  if (dense && count >= kManyElements) {
    threads = (count + kElementsPerThread - 1) / kElementsPerThread;
  }
  params.threads = static_cast<uint64_t>(threads);

  Dispatch dispatch{&kernel, grid_for(kernel, threads), {}};
  for (int operand = 0; operand < operands; ++operand) {
    // Metal wants something bound at every index; a scalar's is never read.
    const bool scalar = params.dtypes[operand] == kElementwiseScalar;
    dispatch.arguments.push_back(detail::make_argument(iterator.tensor(scalar ? 0 : operand)));
  }
  dispatch.arguments.push_back(detail::make_argument(params));
  const auto layout = layout_of(iterator);
  if (!dense) {
    Argument argument{Argument::Kind::kBytes};
    argument.large = layout.data();
    argument.size = static_cast<uint32_t>(layout.size() * sizeof(int64_t));
    dispatch.arguments.push_back(argument);
  }
  detail::submit(&dispatch, 1);
}

}  // namespace mpsops
