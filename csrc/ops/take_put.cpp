// take and put_, which torch.put and the gradients of both are made of. Kernels:
// metal/take_put.metal. A call with an index not seen before waits once for the device, to raise
// IndexError as the CPU does (csrc/core/device_flag.h); a backward after its forward does not.
//
// put_ gives the same result in every run, whatever the index: of repeated ones the last wins, and
// with accumulate, sums do not depend on their order. Hence it does not refuse
// torch.use_deterministic_algorithms(True), as the CPU and CUDA kernels do.
#include <ATen/MemoryOverlap.h>
#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <bit>

#include "csrc/core/bits.h"
#include "csrc/core/checked_values.h"
#include "csrc/core/checks.h"
#include "csrc/core/device_flag.h"
#include "csrc/core/elementwise.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/core/strided.h"
#include "metal/params/take_put.h"

namespace mpsops {

namespace {

constexpr std::initializer_list<at::ScalarType> kDtypes = {
    at::kFloat, at::kHalf,  at::kBFloat16, at::kComplexFloat, at::kLong,
    at::kInt,   at::kShort, at::kChar,     at::kByte,         at::kBool};

// Elements of index that are put together: what the sums of metal/take_put.metal have room for.
constexpr int64_t kPutAtOnce = int64_t{1} << 22;

CheckedValues& checked_indices() {
  static auto* indices = new CheckedValues();
  return *indices;
}

void check_indices(ValueCheck& flag, const at::Tensor& index, int64_t numel) {
  if (flag.read() != 0) {
    const at::Tensor outside = at::logical_or(index.lt(-numel), index.ge(numel));
    const auto idx = index.masked_select(outside).select(0, 0).item<int64_t>();
    TORCH_CHECK_INDEX(false, "out of range: tried to access index ", idx, " on a tensor of ", numel,
                      " elements.");
  }
}

void check_take(const at::Tensor& self, const at::Tensor& index, const at::Tensor& out) {
  TORCH_CHECK(index.scalar_type() == at::kLong,
              "take(): Expected a long tensor for index, but got ", index.scalar_type());
  TORCH_CHECK(self.scalar_type() == out.scalar_type(),
              "take(): self and out expected to have the same dtype, but got self.dtype = ",
              self.scalar_type(), " and out.dtype = ", out.scalar_type());
  TORCH_CHECK(
      self.device() == out.device() && self.device() == index.device(),
      "take(): self, index and out expected to be in the same device, but got self.device = ",
      self.device(), ", index.device = ", index.device(), ", and out.device = ", out.device());
  TORCH_CHECK_INDEX(self.numel() > 0 || index.numel() == 0,
                    "take(): tried to take from an empty tensor");
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, index);
  at::assert_no_overlap(out, self);
}

at::Tensor& take_out(const at::Tensor& self, const at::Tensor& index, at::Tensor& out) {
  if (!out.defined()) {
    out = at::empty(index.sizes(), self.options().memory_format(at::MemoryFormat::Contiguous));
  }
  check_take(self, index, out);
  auto iterator = at::TensorIteratorConfig()
                      .set_check_mem_overlap(false)
                      .check_all_same_dtype(false)
                      .add_output(out)
                      .add_const_input(index)
                      .build();
  if (index.numel() == 0) {
    return out;
  }
  check_dtype("take_cpu", self.scalar_type(), kDtypes);
  const TakePutParams params{strided_shape_without(self, -1), self.numel()};
  ValueCheck flag(checked_indices(), index, self.numel());
  launch_over("take_put", "take", {bits_dtype(self)}, iterator, self, flag.word(), params);
  check_indices(flag, index, self.numel());
  return out;
}

// One call for some elements of index, at most kPutAtOnce.
struct Put {
  Put(const at::Tensor& self, const at::Tensor& index, const at::Tensor& source,
      const DeviceFlag& flag)
      : self(self), index(index), source(source), flag(flag) {
    params.shape = strided_shape_without(self, -1);
    params.elements = self.numel();
    params.count = static_cast<uint32_t>(index.numel());
    params.slots = 2 * std::bit_ceil(params.count);
    params.one_to_one = params.elements <= params.slots ? 1 : 0;
    owners = at::empty({index.numel()}, index.options().dtype(at::kInt));
  }

  // The table, and behind it `words` for each element of index; zero.
  at::Tensor scratch(int64_t words) const {
    return at::zeros({int64_t{params.slots} + words * index.numel()}, owners.options());
  }
  at::Tensor sums_of(const at::Tensor& scratch) const {
    return scratch.narrow(0, params.slots, scratch.numel() - params.slots);
  }
  const Kernel& kernel(const char* stem, at::ScalarType dtype) const {
    return get_kernel("take_put", kernel_name(stem, {dtype}));
  }
  template <class... Args>
  Dispatch dispatch(const Kernel& kernel, const Args&... args) const {
    return make_dispatch(kernel, grid_for(kernel, params.count), args..., params);
  }

  void replace() const {
    const at::Tensor table = scratch(0);
    launch_all(
        {dispatch(get_kernel("take_put", "put_find_last"), index, table, owners, flag.word()),
         dispatch(kernel("put_replace", bits_dtype(self)), self, index, source, table, owners)});
  }

  void add_integers() const {
    const at::Tensor table = scratch(2);
    const at::Tensor sums = sums_of(table);
    const auto dtype = self.scalar_type();
    launch_all({dispatch(kernel("put_add_integers", dtype), index, source, table, sums, owners,
                         flag.word()),
                dispatch(kernel("put_finish_integers", dtype), self, index, sums, owners)});
  }

  void add_floats() const {
    const at::Tensor table = scratch(kPutFloatWords * (self.is_complex() ? 2 : 1));
    const at::Tensor sums = sums_of(table);
    const auto dtype = self.scalar_type();
    launch_all({dispatch(kernel("put_scale", dtype), self, index, source, table, sums, owners,
                         flag.word()),
                dispatch(kernel("put_add", dtype), self, index, source, sums, owners),
                dispatch(kernel("put_finish", dtype), self, index, source, sums, owners)});
  }

  const at::Tensor& self;
  const at::Tensor& index;
  const at::Tensor& source;
  const DeviceFlag& flag;
  PutParams params{};
  at::Tensor owners;
};

void check_put(const at::Tensor& self, const at::Tensor& index, const at::Tensor& source) {
  TORCH_CHECK(index.scalar_type() == at::kLong,
              "put_(): Expected a long tensor for index, but got ", index.scalar_type());
  TORCH_CHECK(self.scalar_type() == source.scalar_type(),
              "put_(): self and source expected to have the same dtype, but got self.dtype = ",
              self.scalar_type(), " and source.dtype = ", source.scalar_type());
  TORCH_CHECK(
      self.device() == source.device() && self.device() == index.device(),
      "put_(): self, index and source expected to be in the same device, but got self.device = ",
      self.device(), ", index.device = ", index.device(),
      ", and source.device = ", source.device());
  TORCH_CHECK_INDEX(
      source.numel() == index.numel(),
      "put_(): Expected source and index to have the same number of elements, but got "
      "source.numel() = ",
      source.numel(), ", index.numel() = ", index.numel());
  TORCH_CHECK_INDEX(self.numel() > 0 || index.numel() == 0,
                    "put_(): Tried to put elements into an empty tensor");
  at::assert_no_internal_overlap(self);
  at::assert_no_overlap(self, index);
  at::assert_no_overlap(self, source);
}

at::Tensor& put_(at::Tensor& self, const at::Tensor& index, const at::Tensor& source,
                 bool accumulate) {
  check_put(self, index, source);
  const int64_t count = index.numel();
  if (count == 0) {
    return self;
  }
  check_dtype("take_put_cpu", self.scalar_type(), kDtypes);
  const at::Tensor flat_index = index.reshape({-1}).contiguous();
  const at::Tensor flat_source = source.reshape({-1}).contiguous();
  ValueCheck flag(checked_indices(), index, self.numel());
  for (int64_t start = 0; start < count; start += kPutAtOnce) {
    const int64_t length = std::min(kPutAtOnce, count - start);
    const at::Tensor some_index = flat_index.narrow(0, start, length);
    const at::Tensor some_source = flat_source.narrow(0, start, length);
    const Put put(self, some_index, some_source, flag);
    if (!accumulate) {
      put.replace();
    } else if (at::isIntegralType(self.scalar_type(), /*includeBool=*/true)) {
      put.add_integers();
    } else {
      put.add_floats();
    }
  }
  check_indices(flag, index, self.numel());
  return self;
}

}  // namespace

MPSOPS_FAMILY(take_put) {
  family.dtypes(kDtypes);
  family.missing<functional<take_out>>("aten::take").opinfo({"take"});
  family.missing<take_out>("aten::take.out").opinfo({"take"});
  // For each 2^22 elements of index.
  family.missing<put_>("aten::put_").opinfo({"put"}).max_dispatches(3);
}

}  // namespace mpsops
