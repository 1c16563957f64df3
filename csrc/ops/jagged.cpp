// _jagged_to_padded_dense_forward and _padded_dense_to_jagged_forward, which nested tensors of the
// jagged layout and their gradients are made of. Kernels: metal/jagged.metal.
//
// From jagged to padded nothing waits: offsets that the CPU kernel trips over give padding. The way
// back waits once for the device for offsets not seen before, because the CPU kernel raises where
// they do not fit the sizes; and once for the last of them where total_L is not given.
#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sub.h>

#include <algorithm>
#include <cstring>

#include "csrc/core/bits.h"
#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/jagged.h"

namespace mpsops {

namespace {

constexpr std::initializer_list<at::ScalarType> kPaddedDtypes = {
    at::kFloat,  at::kHalf,   at::kBFloat16,     at::kLong,       at::kInt,
    at::kShort,  at::kChar,   at::kByte,         at::kBool,       at::kUInt16,
    at::kUInt32, at::kUInt64, at::kComplexFloat, at::kComplexHalf};
constexpr int64_t kElementsPerThread = 8;

// The one jagged dimension's, in a dtype that kernels read.
at::Tensor single_offsets(const char* name, at::TensorList offsets_list) {
  TORCH_CHECK(offsets_list.size() == 1, name, "(): only a single jagged dim is supported for now");
  const at::Tensor& offsets = offsets_list[0];
  TORCH_CHECK(offsets.dim() == 1, name,
              "(): expected 1D offsets, but got offsets.dim() == ", offsets.dim());
  const bool known = offsets.scalar_type() == at::kLong || offsets.scalar_type() == at::kInt;
  return (known ? offsets : offsets.to(at::kLong)).contiguous();
}

// `row_dims` is how many dimensions of `source` come before those of a row.
JaggedParams make_params(const at::Tensor& source, int64_t row_dims, const at::Tensor& offsets) {
  JaggedParams params{};
  const auto sizes = source.sizes().slice(row_dims);
  params.row = strided_shape(sizes, source.strides().slice(row_dims));
  params.row_stride = source.stride(row_dims - 1);
  params.batch = offsets.numel() - 1;
  params.columns = c10::multiply_integers(sizes);
  params.lanes = (params.columns + kElementsPerThread - 1) / kElementsPerThread;
  return params;
}

c10::DimVector with_row_of(const at::Tensor& source, int64_t row_dims, at::IntArrayRef sizes) {
  c10::DimVector result(sizes);
  result.append(source.sizes().begin() + row_dims, source.sizes().end());
  return result;
}

// As the CPU kernel converts it.
uint64_t padding_bits(at::ScalarType dtype, double padding_value) {
  return AT_DISPATCH_ALL_TYPES_AND3(at::kHalf, at::kBFloat16, at::kBool, dtype,
                                    "_jagged_to_padded_dense_forward_cpu", [&] {
                                      const auto value = static_cast<scalar_t>(padding_value);
                                      uint64_t bits = 0;
                                      std::memcpy(&bits, &value, sizeof(value));
                                      return bits;
                                    });
}

const Kernel& jagged_kernel(const char* stem, const at::Tensor& source, const at::Tensor& offsets) {
  return get_kernel("jagged", kernel_name(stem, {bits_dtype(source), offsets.scalar_type()}));
}

at::Tensor jagged_to_padded(const at::Tensor& values, at::TensorList offsets_list,
                            at::IntArrayRef max_lengths, double padding_value) {
  const char* const name = "_jagged_to_padded_dense_forward";
  TORCH_CHECK(max_lengths.size() == 1, name, "(): only a single jagged dim is supported for now");
  const at::Tensor offsets = single_offsets(name, offsets_list);
  check_same_device(name, {{"values", values}, {"offsets", offsets}});
  TORCH_CHECK(values.dim() > 0, name, "(): values must have at least 1 dimension, got 0");
  const uint64_t padding = padding_bits(values.scalar_type(), padding_value);
  JaggedParams params = make_params(values, 1, offsets);
  params.length = max_lengths[0];
  params.total = values.size(0);
  params.padding = padding;
  const at::Tensor padded = at::empty(with_row_of(values, 1, {params.batch, params.length}),
                                      values.options().memory_format(at::MemoryFormat::Contiguous));
  if (padded.numel() > 0) {
    const Kernel& kernel = jagged_kernel("jagged_to_padded", values, offsets);
    launch(kernel, grid_for(kernel, params.batch * params.length * params.lanes), padded, values,
           offsets, params);
  }
  return padded;
}

// Offsets that were seen to end at a total, and those that were seen not to exceed a length.
struct CheckedOffsets {
  CheckedValues totals;
  CheckedValues lengths;
};

CheckedOffsets& checked_offsets() {
  static auto* offsets = new CheckedOffsets();
  return *offsets;
}

void raise_errors(uint32_t errors, const at::Tensor& offsets, const JaggedParams& params) {
  TORCH_CHECK((errors & kJaggedTotal) == 0,
              "_padded_dense_to_jagged_forward(): final offset should match total_L value");
  if ((errors & kJaggedLength) != 0) {
    const at::Tensor lengths =
        at::sub(offsets.narrow(0, 1, params.batch), offsets.narrow(0, 0, params.batch));
    const auto length =
        lengths.masked_select(lengths.gt(params.length)).select(0, 0).item<int64_t>();
    TORCH_CHECK(false, "_padded_dense_to_jagged_forward(): found batch item of length ", length,
                " when max length specified by padded input is ", params.length);
  }
}

// `given` are the offsets as the caller passed them, which a backward gets again.
void launch_padded_to_jagged(const at::Tensor& padded, const at::Tensor& given,
                             const at::Tensor& offsets, JaggedParams& params,
                             const at::Tensor& values) {
  CheckedOffsets& checked = checked_offsets();
  DeviceFlag flag(!checked.totals.contains(given, params.total) ||
                  !checked.lengths.contains(given, params.length));
  params.checked = flag.needed() ? 1 : 0;
  const Kernel& kernel = jagged_kernel("padded_to_jagged", padded, offsets);
  // A row without columns is looked at by a thread as well: lanes divide.
  params.lanes = std::max<int64_t>(params.lanes, 1);
  const int64_t threads = std::max({params.total * params.lanes, params.batch, int64_t{1}});
  launch(kernel, grid_for(kernel, threads), values, padded, offsets, flag.word(), params);
  raise_errors(flag.read(), offsets, params);
  if (flag.needed()) {
    checked.totals.insert(given, params.total);
    checked.lengths.insert(given, params.length);
  }
}

at::Tensor padded_to_jagged(const at::Tensor& padded, at::TensorList offsets_list,
                            std::optional<int64_t> total_L) {
  const char* const name = "_padded_dense_to_jagged_forward";
  const at::Tensor offsets = single_offsets(name, offsets_list);
  check_same_device(name, {{"dense", padded}, {"offsets", offsets}});
  TORCH_CHECK_INDEX(offsets.numel() > 0,
                    "select(): index -1 out of range for tensor of size [0] at dimension 0");
  const int64_t total = total_L.has_value() ? *total_L : offsets.select(0, -1).item().to<int64_t>();
  TORCH_CHECK(padded.dim() >= 2, name,
              "(): expected padded dim >= 2, but padded.dim() == ", padded.dim());
  JaggedParams params = make_params(padded, 2, offsets);
  params.batch_stride = padded.stride(0);
  params.length = padded.size(1);
  params.total = total;
  const at::Tensor values = at::empty(with_row_of(padded, 2, {total}),
                                      padded.options().memory_format(at::MemoryFormat::Contiguous));
  TORCH_CHECK_INDEX(params.batch <= padded.size(0), "select(): index ", padded.size(0),
                    " out of range for tensor of size ", padded.sizes(), " at dimension 0");
  launch_padded_to_jagged(padded, offsets_list[0], offsets, params, values);
  return values;
}

}  // namespace

MPSOPS_FAMILY(jagged) {
  family.missing<jagged_to_padded>("aten::_jagged_to_padded_dense_forward")
      .dtypes(kAllDtypes)
      .opinfo({"_jagged_to_padded_dense_forward"});
  family.missing<padded_to_jagged>("aten::_padded_dense_to_jagged_forward")
      .dtypes(kPaddedDtypes)
      .opinfo({"_padded_dense_to_jagged_forward"});
}

}  // namespace mpsops
