// Kernels: metal/fused_moving_avg_obs_fq.metal, then metal/fake_quantize.metal. Both switches are
// read on the device, and a training step waits for nothing. What the CPU kernel refuses only while
// it observes (other dtypes than float32, rows that are not dimension 0, nothing to observe) makes
// a call look at observer_on first. What it refuses only while it quantizes is refused always; rows
// with a NaN, for which it raises, become NaN.
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/empty.h>

#include <limits>
#include <optional>
#include <tuple>

#include "csrc/core/channels.h"
#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/ops/fake_quantize.h"
#include "metal/params/fused_moving_avg_obs_fq.h"

namespace mpsops {

namespace {

constexpr auto kFamily = "fused_moving_avg_obs_fq";

bool can_be_observed(const at::Tensor& self, int64_t axis, bool per_row) {
  return self.scalar_type() == at::kFloat && self.numel() > 0 &&
         !(per_row && (axis != 0 || self.dim() < 2));
}

// The CPU kernel's reasons, in its order.
void refuse_to_observe(const at::Tensor& self, int64_t axis, bool per_row) {
  if (per_row) {
    c10::maybe_wrap_dim(1, self.dim());
    TORCH_CHECK(axis == 0,
                "Per-channel FakeQuant in fused_moving_avg_obs_fake_quant is only supported on "
                "axis == 0");
  }
  check_dtype("aminmax_cpu", self.scalar_type(), kAllDtypes);
  TORCH_CHECK_INDEX(!per_row || self.numel() > 0,
                    "aminmax: Expected reduction dim 1 to have non-zero size.");
  TORCH_CHECK(self.numel() > 0,
              "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
              "identity.");
  check_scalar_type(self, at::kFloat);
}

// What is observed, as memory that kernels can index.
struct State {
  State(const at::Tensor& min, const at::Tensor& max, const at::Tensor& scales,
        const at::Tensor& zero_points)
      : running_min(min), running_max(max), scale(scales), zero_point(zero_points) {}

  void copy_back() const {
    running_min.copy_back();
    running_max.copy_back();
    scale.copy_back();
    zero_point.copy_back();
  }

  DenseOutput running_min;
  DenseOutput running_max;
  DenseOutput scale;
  DenseOutput zero_point;
};

void start_rows(int64_t rows, at::Tensor& running_min, at::Tensor& running_max, at::Tensor& scale,
                at::Tensor& zero_point) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  running_min.resize_({rows}).fill_(kInfinity);
  running_max.resize_({rows}).fill_(-kInfinity);
  scale.resize_({rows});
  zero_point.resize_({rows});
}

void check_state(const at::Tensor& tensor, const char* name, at::ScalarType dtype, int64_t count) {
  check_scalar_type(tensor, dtype);
  TORCH_CHECK((count == 1 ? single_value(tensor) : tensor).numel() == count,
              "fused_moving_avg_obs_fake_quant: ", name, " must have ", count, " elements, got ",
              tensor.numel());
}

uint32_t switch_dtype(const at::Tensor& on) {
  TORCH_CHECK(!single_value(on).is_complex(),
              "fused_moving_avg_obs_fake_quant: switches must be real, got ", on.scalar_type());
  return static_cast<uint32_t>(on.scalar_type());
}

// The update of the state by `self`, or without it (undefined), for `rows` rows.
void launch_observer(const at::Tensor& self, int64_t rows, bool per_row, const State& state,
                     const at::Tensor& observer_on, const at::Tensor& fake_quant_on,
                     const FusedObserverParams& params) {
  std::optional<Channels> channels;
  if (self.defined()) {
    channels = make_channels({self}, per_row ? std::optional<int64_t>(0) : std::nullopt);
  }
  ChannelsParams shared{};
  shared.channels = rows;
  if (channels) {
    shared = channels->params;
  }
  at::Tensor partials = *state.running_min;  // not written by the only group of a row
  if (shared.splits > 1) {
    partials = at::empty({rows * shared.splits * 2}, partials.options().dtype(at::kInt));
  }
  const auto total = [&] {
    return make_dispatch(get_kernel(kFamily, "fused_moving_avg_obs_fq_total"), groups_for(rows, 32),
                         partials, *state.running_min, *state.running_max, *state.scale,
                         *state.zero_point, observer_on, fake_quant_on, params, shared);
  };
  if (!channels) {
    launch_all({total()});
    return;
  }
  auto observe = make_dispatch(get_kernel(kFamily, "fused_moving_avg_obs_fq_observe"),
                               channels->groups, self, partials, *state.running_min,
                               *state.running_max, *state.scale, *state.zero_point, observer_on,
                               fake_quant_on, params, shared, channels->walk.params);
  observe.arguments.push_back(detail::make_layout_argument(channels->walk));
  if (shared.splits > 1) {
    launch_all({observe, total()});
  } else {
    launch_all({observe});
  }
}

OutputAndMask fused_moving_avg_obs_fq(const at::Tensor& self, const at::Tensor& observer_on,
                                      const at::Tensor& fake_quant_on, at::Tensor& running_min,
                                      at::Tensor& running_max, at::Tensor& scale,
                                      at::Tensor& zero_point, double averaging_constant,
                                      int64_t quant_min, int64_t quant_max, int64_t axis,
                                      bool per_row, bool symmetric) {
  check_same_device("_fused_moving_avg_obs_fq_helper", {{"self", self},
                                                        {"observer_on", observer_on},
                                                        {"fake_quant_on", fake_quant_on},
                                                        {"running_min", running_min},
                                                        {"running_max", running_max},
                                                        {"scale", scale},
                                                        {"zero_point", zero_point}});
  TORCH_CHECK(axis < self.dim(),
              "Error in fused_moving_avg_obs_fake_quant_cpu: ch_axis must be < self.dim()");
  FusedObserverParams params{};
  params.quant_min = static_cast<int32_t>(quant_min);
  params.quant_max = static_cast<int32_t>(quant_max);
  params.averaging_constant = static_cast<float>(averaging_constant);
  params.symmetric = symmetric ? 1 : 0;
  params.observer_dtype = switch_dtype(observer_on);
  params.fake_quant_dtype = switch_dtype(fake_quant_on);
  params.observes = can_be_observed(self, axis, per_row) ? 1 : 0;
  if (params.observes == 0 && observer_on.item().toInt() != 0) {
    refuse_to_observe(self, axis, per_row);
  }
  const auto fake_quantize =
      make_fake_quantize_params(kZeroPointInteger, params.quant_min, params.quant_max);
  const int64_t rows = per_row ? self.size(axis) : 1;
  if (per_row && running_min.numel() == 0) {
    start_rows(rows, running_min, running_max, scale, zero_point);
  }
  check_state(running_min, "running_min", at::kFloat, rows);
  check_state(running_max, "running_max", at::kFloat, rows);
  check_state(scale, "scale", at::kFloat, rows);
  check_state(zero_point, "zero_point", at::kInt, rows);

  const State state(running_min, running_max, scale, zero_point);
  launch_observer(params.observes != 0 ? self : at::Tensor(), rows, per_row, state, observer_on,
                  fake_quant_on, params);
  state.copy_back();
  const QuantizationTensors qparams{*state.scale, *state.zero_point, fake_quant_on};
  return per_row ? fake_quantize_channels(self, qparams, axis, fake_quantize, DeviceFlag(false))
                 : fake_quantize_tensor(self, qparams, fake_quantize, DeviceFlag(false));
}

}  // namespace

MPSOPS_FAMILY(fused_moving_avg_obs_fq) {
  family.dtypes({at::kFloat}).opinfo({"_fused_moving_avg_obs_fq_helper"});
  family.missing<fused_moving_avg_obs_fq>("aten::_fused_moving_avg_obs_fq_helper")
      .max_dispatches(3);
}

}  // namespace mpsops
