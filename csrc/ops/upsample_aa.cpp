// Kernels: metal/upsample_aa.metal. Nothing waits for the device. Bilinear and bicubic gradients
// also come in float16 and bfloat16, which the CPU kernels do not take: torch's forward kernels on
// MPS do.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "csrc/core/checks.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/ops/pool.h"
#include "metal/params/upsample_aa.h"

namespace mpsops {

namespace {

using at::IntArrayRef;
using at::Tensor;
using Scale = std::optional<double>;

constexpr auto kFamily = "upsample_aa";
constexpr int64_t kOnePassTaps = 16;     // reads of an element up to which one pass is faster
constexpr int64_t kOnePassWindow = 256;  // elements that one thread may sum

enum class Filter : uint32_t { kLinear = 1, kCubic = 2, kLanczos = 3 };

struct Resize {
  Filter filter;
  bool backward;
  bool align_corners;
  Scale scales[2];  // height, width
};

struct Pair {
  float high;
  float low;
};

Pair split(double value) {
  const auto high = static_cast<float>(value);
  return {high, static_cast<float>(value - static_cast<double>(high))};
}

// How many outputs may hold an input position, plus what rounding adds.
int64_t reach_of(double scale, double support, int64_t output_size) {
  const double outputs = 2.0 * support / scale + 3.0;
  return outputs < static_cast<double>(output_size) ? static_cast<int64_t>(outputs) : output_size;
}

// As area_pixel_compute_scale() of ATen/native/UpSample.h, which wants ATen's vector headers.
template <class T>
T scale_of(int64_t input, int64_t output, bool align_corners, Scale given) {
  if (align_corners) {
    return output > 1 ? static_cast<T>(input - 1) / static_cast<T>(output - 1) : T{0};
  }
  return given.has_value() && *given > 0.0 ? static_cast<T>(1.0 / *given)
                                           : static_cast<T>(input) / static_cast<T>(output);
}

// T is what the CPU kernel computes weights in.
template <class T>
UpsampleAaAxis make_axis(const Resize& resize, size_t which, int64_t input, int64_t output) {
  constexpr int64_t kLimit = int64_t{1} << 24;
  TORCH_CHECK(std::max(input, output) <= kLimit, "_upsample_aa: sizes must be at most ", kLimit,
              ", got ", input, " and ", output);
  const T scale = scale_of<T>(input, output, resize.align_corners, resize.scales[which]);
  const double half_taps = static_cast<double>(resize.filter);
  const T support = static_cast<T>(scale >= 1.0 ? half_taps * scale : half_taps);
  const double taps = std::ceil(support) * 2 + 1;
  UpsampleAaAxis axis{};
  axis.input_size = static_cast<int32_t>(input);
  axis.output_size = static_cast<int32_t>(output);
  axis.max_taps = static_cast<int32_t>(std::min(taps, static_cast<double>(input)));
  axis.row =
      static_cast<int32_t>(resize.backward ? reach_of(scale, support, output) : axis.max_taps);
  const Pair scale_pair = split(scale);
  const Pair inverse = split(static_cast<T>(scale >= 1.0 ? 1.0 / scale : 1.0));
  const Pair support_pair = split(support);
  axis.scale = scale_pair.high;
  axis.scale_low = scale_pair.low;
  axis.inverse_scale = inverse.high;
  axis.inverse_scale_low = inverse.low;
  axis.support = support_pair.high;
  axis.support_low = support_pair.low;
  return axis;
}

struct Tables {
  UpsampleAaParams params{};
  Tensor ranges;
  Tensor weights;
};

// The tables' places; a forward axis that keeps its size is not resized, as by the CPU kernel.
Tables make_tables(const Resize& resize, const Tensor& result, const Tensor& source) {
  Tables tables;
  UpsampleAaParams& params = tables.params;
  params.filter = static_cast<uint32_t>(resize.filter);
  int64_t ranges = 0;
  int64_t weights = 0;
  for (size_t which = 0; which < 2; ++which) {
    const auto dim = static_cast<int64_t>(2 + which);
    const int64_t input = resize.backward ? result.size(dim) : source.size(dim);
    const int64_t output = resize.backward ? source.size(dim) : result.size(dim);
    UpsampleAaAxis& axis = params.axes[which];
    axis = result.scalar_type() == at::kByte ? make_axis<double>(resize, which, input, output)
                                             : make_axis<float>(resize, which, input, output);
    axis.identity = !resize.backward && input == output ? 1 : 0;
    if (axis.identity == 0) {
      axis.ranges = ranges;
      axis.weights = weights;
      ranges += 2 * result.size(dim);
      weights += axis.row * result.size(dim);
      axis.totals = weights;
      weights += resize.backward ? output : 0;
    }
  }
  params.precision = ranges;
  const auto options = result.options();
  tables.ranges = at::empty({ranges + 2}, options.dtype(at::kInt));
  tables.weights = at::empty(
      {weights}, options.dtype(result.scalar_type() == at::kByte ? at::kInt : at::kFloat));
  return tables;
}

Dispatch fill_tables(const Resize& resize, const Tables& tables, at::ScalarType dtype) {
  const Kernel& kernel = get_kernel(kFamily, resize.backward      ? "upsample_aa_weights_backward"
                                             : dtype == at::kByte ? "upsample_aa_weights_uint8"
                                                                  : "upsample_aa_weights");
  const uint32_t threads =
      std::bit_floor(std::min(kernel.max_total_threads_per_threadgroup(), 1024u));
  return make_dispatch(kernel, groups_for(2, threads), tables.ranges, tables.weights,
                       tables.params);
}

// Whether both axes are resized at once. One pass moves the fewest bytes; its reads from cache are
// taps^2 for each element of the larger side.
bool fits_one_pass(const UpsampleAaParams& params) {
  if (params.axes[0].identity != 0 || params.axes[1].identity != 0) {
    return true;
  }
  const int64_t taps = 2 * static_cast<int64_t>(params.filter);
  const int64_t window = static_cast<int64_t>(params.axes[0].row) * params.axes[1].row;
  return taps * taps <= kOnePassTaps && window <= kOnePassWindow;
}

// result = source, resized along both axes or (identity) one.
struct Pass {
  Pass(const Tensor& result, const Tensor& source, const UpsampleAaParams& resize)
      : pool(2, result, source),
        params(resize),
        kernel(pool.kernel(kFamily,
                           kernel_name("upsample_aa_gather_from", {source.scalar_type()}).c_str(),
                           result.scalar_type())) {}

  Dispatch dispatch(const Tensor& result, const Tensor& source, const Tables& tables) const {
    return make_dispatch(kernel, pool.grid(kernel), result, source, tables.ranges, tables.weights,
                         pool.params, params);
  }

  Pool pool;
  UpsampleAaParams params;
  const Kernel& kernel;
};

void run(const Resize& resize, const Tensor& result, const Tensor& source) {
  if (result.numel() == 0) {
    return;
  }
  const Tables tables = make_tables(resize, result, source);
  const Dispatch fill = fill_tables(resize, tables, result.scalar_type());
  if (fits_one_pass(tables.params)) {
    const Pass pass(result, source, tables.params);
    launch_all({fill, pass.dispatch(result, source, tables)});
    return;
  }
  // Width first, as the CPU kernel: uint8 is rounded in between.
  const Tensor between =
      at::empty({source.size(0), source.size(1), source.size(2), result.size(3)},
                result.options()
                    .dtype(result.scalar_type() == at::kByte ? at::kByte : at::kFloat)
                    .memory_format(source.suggest_memory_format()));
  UpsampleAaParams widths = tables.params;
  widths.axes[0].identity = 1;
  UpsampleAaParams heights = tables.params;
  heights.axes[1].identity = 1;
  const Pass first(between, source, widths);
  const Pass second(result, between, heights);
  launch_all(
      {fill, first.dispatch(between, source, tables), second.dispatch(result, between, tables)});
}

// The sizes of the output. ATen's check for all 2-D resizing, with its texts.
std::array<int64_t, 4> check_sizes(IntArrayRef input_size, IntArrayRef output_size) {
  TORCH_CHECK(output_size.size() == 2, "It is expected output_size equals to 2, but got size ",
              output_size.size());
  TORCH_CHECK(input_size.size() == 4, "It is expected input_size equals to 4, but got size ",
              input_size.size());
  TORCH_CHECK(input_size[2] > 0 && input_size[3] > 0 && output_size[0] > 0 && output_size[1] > 0,
              "Input and output sizes should be greater than 0, but got input (H: ", input_size[2],
              ", W: ", input_size[3], ") output (H: ", output_size[0], ", W: ", output_size[1],
              ")");
  return {input_size[0], input_size[1], output_size[0], output_size[1]};
}

Tensor& lanczos_out(const Tensor& self, IntArrayRef output_size, bool align_corners, Scale scales_h,
                    Scale scales_w, Tensor& out) {
  check_same_device("_upsample_lanczos2d_aa", {{"out", out}, {"self", self}});
  const auto sizes = check_sizes(self.sizes(), output_size);
  // An empty batch is fine; of the other sizes that leaves the channels.
  TORCH_CHECK(self.size(1) != 0, "Non-empty 4D data tensor expected but got a tensor with sizes ",
              self.sizes());
  set_structured_output(out, sizes, self.options().memory_format(self.suggest_memory_format()));
  if (out.sizes() == self.sizes()) {
    return out.copy_(self);
  }
  check_dtype("compute_index_ranges_weights", self.scalar_type(), {at::kFloat, at::kByte});
  run({Filter::kLanczos, false, align_corners, {scales_h, scales_w}}, out, self);
  return out;
}

template <Filter F>
constexpr const char* kBackward = F == Filter::kLinear  ? "upsample_bilinear2d_aa_backward_cpu"
                                  : F == Filter::kCubic ? "upsample_bicubic2d_aa_backward_cpu"
                                                        : "upsample_lanczos2d_aa_backward_cpu";

void check_backward(const Tensor& grad_output, IntArrayRef output_size, IntArrayRef input_size) {
  const auto sizes = check_sizes(input_size, output_size);
  TORCH_CHECK(grad_output.dim() == 4,
              "Expected grad_output to be a tensor of dimension 4 but got: dimension ",
              grad_output.dim());
  for (size_t i = 0; i < 4; ++i) {
    const int64_t found = grad_output.size(static_cast<int64_t>(i));
    TORCH_CHECK(found == sizes[i], "Expected grad_output to have the same shape as output;",
                " output.size(", i, ") = ", sizes[i], " but got grad_output.size(", i,
                ") = ", found);
  }
}

template <Filter F>
Tensor& backward_out(const Tensor& grad_output, IntArrayRef output_size, IntArrayRef input_size,
                     bool align_corners, Scale scales_h, Scale scales_w, Tensor& grad_input) {
  check_same_device("_upsample_aa_backward",
                    {{"grad_input", grad_input}, {"grad_output", grad_output}});
  check_backward(grad_output, output_size, input_size);
  auto options = grad_output.options();
  if (F == Filter::kLinear) {
    options = options.memory_format(grad_output.suggest_memory_format());
  }
  set_structured_output(grad_input, input_size, options);
  if (F == Filter::kLanczos) {
    check_dtype(kBackward<F>, grad_output.scalar_type(), {at::kFloat});
  } else {
    check_dtype(kBackward<F>, grad_output.scalar_type(), kFloatingDtypes);
  }
  run({F, true, align_corners, {scales_h, scales_w}}, grad_input, grad_output);
  return grad_input;
}

// The tables, then both axes at once or one after the other.
constexpr uint32_t kDispatches = 3;

template <Filter F>
void add_backward(Family& family, std::initializer_list<at::ScalarType> dtypes, const char* info,
                  const char* functional_name, const char* out_name) {
  for (Op* op : {&family.missing<functional<backward_out<F>>>(functional_name),
                 &family.missing<backward_out<F>>(out_name)}) {
    op->dtypes(dtypes).opinfo({info}).max_dispatches(kDispatches);
  }
}

}  // namespace

MPSOPS_FAMILY(upsample_aa) {
  const char* const lanczos = "upsample_lanczos2d_aa";
  family.dtypes({at::kFloat, at::kByte}).opinfo({lanczos});
  family.missing<functional<lanczos_out>>("aten::_upsample_lanczos2d_aa")
      .max_dispatches(kDispatches);
  family.missing<lanczos_out>("aten::_upsample_lanczos2d_aa.out").max_dispatches(kDispatches);
  add_backward<Filter::kLanczos>(family, {at::kFloat}, lanczos,
                                 "aten::_upsample_lanczos2d_aa_backward",
                                 "aten::_upsample_lanczos2d_aa_backward.grad_input");
  add_backward<Filter::kLinear>(family, kFloatingDtypes, "_upsample_bilinear2d_aa",
                                "aten::_upsample_bilinear2d_aa_backward",
                                "aten::_upsample_bilinear2d_aa_backward.grad_input");
  add_backward<Filter::kCubic>(family, kFloatingDtypes, "upsample_bicubic2d_aa",
                               "aten::_upsample_bicubic2d_aa_backward",
                               "aten::_upsample_bicubic2d_aa_backward.grad_input");
}

}  // namespace mpsops
