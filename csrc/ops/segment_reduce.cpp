// segment_reduce and its gradient. Unless unsafe, the forward reads one word from the device, which
// waits for the stream: the CPU kernel raises for bad lengths, so this must know before it returns.
// unsafe=True waits for nothing; lengths that are wrong then give wrong sums, never foreign memory.
#include <ATen/WrapDimUtils.h>
#include <ATen/native/ReductionType.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/segment_reduce.h"

namespace mpsops {

namespace {

using at::native::ReductionType;

constexpr std::initializer_list<at::ScalarType> kIndexDtypes = {at::kLong, at::kInt};
constexpr int64_t kMaxScanThreads = 256;  // room for their sums in metal/segment_reduce.metal

SegmentReduction segment_reduction(std::string_view reduce) {
  switch (at::native::get_reduction_enum(reduce)) {
    case ReductionType::MAX:
      return kSegmentMax;
    case ReductionType::MEAN:
      return kSegmentMean;
    case ReductionType::MIN:
      return kSegmentMin;
    case ReductionType::SUM:
      return kSegmentSum;
    case ReductionType::PROD:
      return kSegmentProd;
  }
  TORCH_INTERNAL_ASSERT(false);
}

// Rounded to the data's dtype, and refused where it overflows that, as by the CPU kernel.
float initial_in(at::ScalarType dtype, const at::Scalar& initial) {
  switch (dtype) {
    case at::kHalf:
      return initial.to<at::Half>();
    case at::kBFloat16:
      return initial.to<at::BFloat16>();
    default:
      return initial.to<float>();
  }
}

// Threads that share an output. Neighbours read neighbouring columns, or else neighbouring elements
// of a segment: a thread alone wants many columns, or segments too short to share.
uint32_t team_size(const SegmentReduceParams& params) {
  constexpr int64_t kShort = 8;
  constexpr int64_t kManyColumns = 32;
  constexpr int64_t kElementsPerThread = 8;
  if (params.segments == 0) {
    return 0;
  }
  const int64_t average = params.axis_size / params.segments;
  if (average <= kShort || params.columns >= kManyColumns) {
    return 0;
  }
  return std::bit_floor(
      static_cast<uint32_t>(std::clamp<int64_t>(average / kElementsPerThread, 32, 1024)));
}

// Lengths of segments, or offsets: one more per row. The axis is their last dimension.
struct Bounds {
  at::Tensor tensor;
  bool are_lengths;

  int64_t axis() const { return tensor.dim() - 1; }
  int64_t segments() const { return tensor.size(axis()) - (are_lengths ? 0 : 1); }
  int64_t rows() const { return c10::multiply_integers(tensor.sizes().slice(0, axis())); }
};

SegmentReduceParams make_params(const at::Tensor& data, std::string_view reduce,
                                const Bounds& bounds, const std::optional<at::Scalar>& initial) {
  const int64_t axis = bounds.axis();
  SegmentReduceParams params{};
  params.segments = bounds.segments();
  params.axis_size = data.size(axis);
  params.axis_stride = data.stride(axis);
  const int64_t rows = c10::multiply_integers(data.sizes().slice(0, axis));
  // The CPU kernel would read on behind them.
  TORCH_CHECK(bounds.rows() >= rows,
              "segment_reduce(): ", bounds.are_lengths ? "lengths" : "offsets",
              " must have at least ", rows, " rows, got ", bounds.rows());
  params.lines = strided_shape_without(data, axis);
  params.columns = c10::multiply_integers(data.sizes().slice(axis + 1));
  params.outputs = rows * params.segments * params.columns;
  if (initial.has_value()) {
    params.has_initial = 1;
    params.initial = initial_in(data.scalar_type(), *initial);
  }
  params.reduction = segment_reduction(reduce);
  return params;
}

struct KernelAndGrid {
  const Kernel& kernel;
  Grid grid;
};

// `stem`, or its variant with teams, for these dtypes.
KernelAndGrid choose_kernel(std::string stem, at::ScalarType dtype, at::ScalarType index,
                            const SegmentReduceParams& params) {
  const uint32_t team = team_size(params);
  if (team > 0) {
    stem += "_team";
  }
  const Kernel& kernel = get_kernel("segment_reduce", kernel_name(stem, {dtype, index}));
  const uint32_t most = std::bit_floor(kernel.max_total_threads_per_threadgroup());
  return {kernel, team > 0 ? groups_for(params.outputs, std::min(team, most))
                           : grid_for(kernel, params.outputs)};
}

// The scan that turns lengths into offsets, and the memory for those.
struct Scan {
  explicit Scan(const Bounds& bounds, int64_t axis_size, bool checked)
      : lengths(bounds.tensor.contiguous()),
        offsets(at::empty({bounds.rows(), bounds.segments() + 1},
                          bounds.tensor.options().dtype(at::kLong))),
        params{bounds.rows(), bounds.segments(), axis_size, checked ? 1u : 0u} {}

  Dispatch dispatch(const at::Tensor& flag) const {
    constexpr int64_t kLengthsPerThread = 4;
    const Kernel& kernel =
        get_kernel("segment_reduce", kernel_name("segment_offsets", {lengths.scalar_type()}));
    const auto threads = std::bit_floor(static_cast<uint32_t>(
        std::clamp<int64_t>(params.segments / kLengthsPerThread, 32, kMaxScanThreads)));
    const uint32_t most = std::bit_floor(kernel.max_total_threads_per_threadgroup());
    return make_dispatch(kernel, groups_for(params.rows, std::min(threads, most)), lengths, offsets,
                         flag, params);
  }

  at::Tensor lengths;
  at::Tensor offsets;
  SegmentOffsetsParams params;
};

void raise_errors(uint32_t errors, int64_t axis_size) {
  if (errors == 0) {
    return;
  }
  TORCH_CHECK((errors & kSegmentNegativeLength) == 0, "lengths contains negative value!");
  TORCH_CHECK((errors & kSegmentWrongSum) == 0,
              "segment_reduce(): Expected all rows of lengths along axis ",
              "to sum to data.size(lengths.dim()-1) when !unsafe.");
  const int segment_length = (errors & kSegmentDecreasing) != 0 ? -1 : 0;
  TORCH_CHECK(segment_length >= 0);
  TORCH_CHECK(false, "segment_reduce(): offsets must be in [0, ", axis_size,
              "], got one outside of it");
}

at::Tensor reduce_segments(const at::Tensor& data, std::string_view reduce, const Bounds& bounds,
                           bool unsafe, const std::optional<at::Scalar>& initial) {
  check_dtype(bounds.are_lengths ? "_segment_reduce_lengths_cpu_kernel1"
                                 : "_segment_reduce_offsets_cpu_kernel1",
              bounds.tensor.scalar_type(), kIndexDtypes);
  check_dtype("_segment_reduce_cpu", data.scalar_type(), kFloatingDtypes);
  auto sizes = data.sizes().vec();
  sizes[bounds.axis()] = bounds.segments();
  at::Tensor output = at::empty(sizes, data.options().memory_format(at::MemoryFormat::Contiguous));

  SegmentReduceParams params = make_params(data, reduce, bounds, initial);
  params.checked = unsafe ? 0 : 1;
  DeviceFlag flag(!unsafe);
  if (bounds.are_lengths) {
    const Scan scan(bounds, params.axis_size, !unsafe);
    params.checked = 0;  // by the scan
    const auto [kernel, grid] =
        choose_kernel("segment_reduce", data.scalar_type(), at::kLong, params);
    launch_all({scan.dispatch(flag.word()),
                make_dispatch(kernel, grid, data, scan.offsets, output, flag.word(), params)});
  } else {
    const at::Tensor offsets = bounds.tensor.contiguous();
    const auto [kernel, grid] =
        choose_kernel("segment_reduce", data.scalar_type(), offsets.scalar_type(), params);
    launch(kernel, grid, data, offsets, output, flag.word(), params);
  }
  raise_errors(flag.read(), params.axis_size);
  return output;
}

at::Tensor segment_reduce(const at::Tensor& data, std::string_view reduce,
                          const std::optional<at::Tensor>& lengths,
                          const std::optional<at::Tensor>& indices,
                          const std::optional<at::Tensor>& offsets, int64_t axis, bool unsafe,
                          const std::optional<at::Scalar>& initial) {
  axis = at::maybe_wrap_dim(axis, data.ndimension());
  TORCH_CHECK(!indices.has_value(),
              "segment_reduce(): indices based reduction is not supported yet.");
  TORCH_CHECK(lengths.has_value() || offsets.has_value(),
              "segment_reduce(): Either lengths or offsets must be defined.");
  at::native::get_reduction_enum(reduce);
  // The names make the texts of the checks.
  if (offsets.has_value()) {
    const auto& offsets_value = offsets.value();
    TORCH_CHECK(data.get_device() == offsets_value.get_device());
    TORCH_CHECK(data.dim() >= offsets_value.dim());
    TORCH_CHECK(axis == offsets_value.dim() - 1,
                "segment_reduce(): Expected axis to be the last dimension of offsets but got ",
                axis, ".");
    return reduce_segments(data, reduce, {offsets_value, false}, unsafe, initial);
  }
  const auto& lengths_value = lengths.value();
  TORCH_CHECK(data.get_device() == lengths_value.get_device());
  TORCH_CHECK(data.dim() >= lengths_value.dim());
  TORCH_CHECK(axis == lengths_value.dim() - 1,
              "segment_reduce(): Expected axis to be the last dimension of lengths but got ", axis,
              ".");
  TORCH_CHECK(unsafe || lengths_value.numel() > 0,
              "min(): Expected reduction dim to be specified for input.numel() == 0. Specify the ",
              "reduction dim with the 'dim' argument.");
  return reduce_segments(data, reduce, {lengths_value, true}, unsafe, initial);
}

at::Tensor segment_reduce_backward(const at::Tensor& grad, const at::Tensor& output,
                                   const at::Tensor& data, std::string_view reduce,
                                   const std::optional<at::Tensor>& lengths,
                                   const std::optional<at::Tensor>& offsets, int64_t axis,
                                   const std::optional<at::Scalar>& initial) {
  at::maybe_wrap_dim(axis, data.ndimension());
  // Autograd's formula passes undefined tensors for None.
  const bool has_lengths = lengths.has_value() && lengths->defined();
  const bool has_offsets = offsets.has_value() && offsets->defined();
  TORCH_CHECK(has_lengths || has_offsets,
              "segment_reduce(): Either lengths or offsets must be defined.");
  const Bounds bounds{has_offsets ? *offsets : *lengths, !has_offsets};
  check_dtype(bounds.are_lengths ? "_segment_reduce_cpu_lengths_backward_kernel1"
                                 : "_segment_reduce_cpu_offsets_backward_kernel1",
              bounds.tensor.scalar_type(), kIndexDtypes);
  check_dtype("_segment_reduce_cpu", data.scalar_type(), kFloatingDtypes);
  const SegmentReduceParams params = make_params(data, reduce, bounds, initial);
  for (const auto& tensor : {grad, output}) {
    TORCH_CHECK(tensor.scalar_type() == data.scalar_type(), "expected scalar type ",
                data.scalar_type(), " but found ", tensor.scalar_type());
    TORCH_CHECK(tensor.numel() == params.outputs, "segment_reduce(): grad and output must have ",
                params.outputs, " elements, got ", tensor.numel());
  }

  const at::Tensor grad_contiguous = grad.contiguous();
  const at::Tensor output_contiguous = output.contiguous();
  const at::Tensor grad_input = at::zeros(data.sizes(), grad.options());
  if (bounds.are_lengths) {
    const DeviceFlag flag(false);
    const Scan scan(bounds, params.axis_size, false);
    const auto [kernel, grid] =
        choose_kernel("segment_reduce_backward", data.scalar_type(), at::kLong, params);
    launch_all(
        {scan.dispatch(flag.word()), make_dispatch(kernel, grid, grad_contiguous, output_contiguous,
                                                   data, scan.offsets, grad_input, params)});
  } else {
    const at::Tensor bounds_contiguous = bounds.tensor.contiguous();
    const auto [kernel, grid] = choose_kernel("segment_reduce_backward", data.scalar_type(),
                                              bounds_contiguous.scalar_type(), params);
    launch(kernel, grid, grad_contiguous, output_contiguous, data, bounds_contiguous, grad_input,
           params);
  }
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(segment_reduce) {
  family.dtypes(kFloatingDtypes).opinfo({"_segment_reduce"});
  // The second dispatch adds up lengths; offsets need one.
  family.missing<segment_reduce>("aten::segment_reduce").max_dispatches(2);
  family.missing<segment_reduce_backward>("aten::_segment_reduce_backward").max_dispatches(2);
}

}  // namespace mpsops
