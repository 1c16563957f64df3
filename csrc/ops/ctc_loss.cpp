// Kernels: metal/ctc_loss.metal. Lengths come as lists, in torch's ctc_loss() always, and travel
// with the dispatch: nothing is uploaded. Of _ctc_loss.Tensor they are brought to the host, as by
// ATen's kernels on all devices, because they decide the shape of log_alpha: where they are on the
// device, this waits for it. The backwards wait for nothing.
#include <ATen/TensorUtils.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/registry.h"
#include "metal/params/ctc_loss.h"

namespace mpsops {

namespace {

constexpr int64_t kMaxThreads = 1024;                          // as in metal/ctc_loss.metal
constexpr int64_t kItemsPerDispatch = 4096 / sizeof(CtcItem);  // what setBytes takes

// Lengths, and where targets begin: on the host, or else as a tensor.
struct Items {
  std::vector<CtcItem> on_host;
  at::Tensor on_device;
};

void check_shapes(at::CheckedFrom name, const at::Tensor& log_probs, const at::Tensor& targets,
                  int64_t blank) {
  const at::TensorArg targets_argument(targets, "targets", 2);
  at::checkScalarType(name, targets_argument,
                      targets.scalar_type() == at::kLong ? at::kLong : at::kInt);
  at::checkDim(name, at::TensorArg(log_probs, "log_probs", 1), 3);
  at::checkDimRange(name, targets_argument, 1, 3);
  TORCH_CHECK(0 <= blank && blank < log_probs.size(2), "blank must be in label range");
}

void check_batch_size(int64_t batch, int64_t input_lengths, int64_t target_lengths) {
  TORCH_CHECK(input_lengths == batch, "input_lengths must be of size batch_size");
  TORCH_CHECK(target_lengths == batch, "target_lengths must be of size batch_size");
}

// All checks of the CPU's forward: it is they that keep the kernels within the tensors.
Items checked_items(const at::Tensor& log_probs, const at::Tensor& targets,
                    at::IntArrayRef input_lengths, at::IntArrayRef target_lengths, int64_t blank) {
  const at::CheckedFrom name = "ctc_loss_allocate_outputs";
  check_shapes(name, log_probs, targets, blank);
  const int64_t inputs = log_probs.size(0);
  const int64_t batch = log_probs.size(1);
  check_batch_size(batch, static_cast<int64_t>(input_lengths.size()),
                   static_cast<int64_t>(target_lengths.size()));
  const auto check_least = [name](const char* lengths, int64_t length) {
    TORCH_CHECK(length >= 0, "Expected ", lengths, " to have value at least ", 0,
                ", but got value ", length, " (while checking arguments for ", name, ")");
  };
  Items items;
  items.on_host.reserve(batch);
  const bool concatenated = targets.dim() == 1;
  int64_t total = 0;
  int64_t longest = 0;
  for (int64_t i = 0; i < batch; ++i) {
    check_least("target_lengths", target_lengths[i]);
    items.on_host.push_back({input_lengths[i], target_lengths[i], concatenated ? total : 0});
    total += target_lengths[i];
    longest = std::max(longest, target_lengths[i]);
  }
  const at::TensorArg targets_argument(targets, "targets", 2);
  at::checkSize(name, targets_argument, 0, concatenated ? total : batch);
  TORCH_CHECK(concatenated || targets.size(1) >= longest, "Expected tensor to have size at least ",
              longest, " at dimension 1, but got size ", targets.size(1), " for ", targets_argument,
              " (while checking arguments for ", name, ")");
  for (const int64_t length : input_lengths) {
    check_least("input_lengths", length);
    TORCH_CHECK(length <= inputs, "Expected input_lengths to have value at most ", inputs,
                ", but got value ", length, " (while checking arguments for ", name, ")");
  }
  return items;
}

int64_t longest_target(const Items& items) {
  int64_t longest = 0;
  for (const auto& item : items.on_host) {
    longest = std::max(longest, item.target_length);
  }
  return longest;
}

CtcParams make_params(const at::Tensor& log_probs, const at::Tensor& targets, int64_t columns,
                      int64_t blank) {
  CtcParams params{};
  params.inputs = log_probs.size(0);
  params.batch = log_probs.size(1);
  params.labels = log_probs.size(2);
  params.columns = columns;
  params.blank = blank;
  std::ranges::copy(log_probs.strides(), params.log_prob_stride);
  const bool concatenated = targets.dim() == 1;
  params.target_stride[0] = concatenated ? 0 : targets.stride(0);
  params.target_stride[1] = targets.stride(-1);
  params.target_size = targets.size(-1);
  return params;
}

const Kernel& ctc_kernel(std::string_view stem, const at::Tensor& targets) {
  return get_kernel("ctc_loss", kernel_name(stem, {at::kFloat, targets.scalar_type()}));
}

// `groups` threadgroups with a thread for each of `work`, as far as that goes.
Grid groups_of(const Kernel& kernel, int64_t groups, int64_t work, int64_t most) {
  const int64_t limit = std::min<int64_t>(kernel.max_total_threads_per_threadgroup(), most);
  const int64_t threads = std::min((work + 31) / 32 * 32, limit / 32 * 32);
  return groups_for(groups, static_cast<uint32_t>(threads));
}

// A thread for each state.
Grid groups_of_states(const Kernel& kernel, const CtcParams& params) {
  return groups_of(kernel, params.items, params.columns, kMaxThreads);
}

// For each step the last two states of a block, while the next one needs them: pairs of floats,
// [batch, 2, time, 2]. Where a block takes all states, something that is not read.
at::Tensor edges_of_blocks(const Kernel& kernel, const at::Tensor& table) {
  const int64_t columns = table.size(2);
  const bool one_block = groups_of(kernel, 1, columns, kMaxThreads).group.x >= columns;
  return one_block ? table : at::empty({table.size(0), 2, table.size(1), 2, 2}, table.options());
}

// A group for each time step, whose threads take some labels of log_probs and of the target each.
Grid groups_of_labels(const Kernel& kernel, const CtcParams& params) {
  constexpr int64_t kLabelsPerThread = 4;
  constexpr int64_t kMostThreads = 256;
  const int64_t labels = std::max(params.labels, params.columns / 2 + 1);
  return groups_of(kernel, params.inputs * params.items, labels / kLabelsPerThread + 1,
                   kMostThreads);
}

// Calls `launch_part(params, items)` for as many items at a time as fit into a dispatch.
template <class LaunchPart>
void launch_parts(CtcParams params, const Items& items, const LaunchPart& launch_part) {
  if (items.on_device.defined()) {
    params.items = params.batch;
    launch_part(params, detail::make_argument(items.on_device));
    return;
  }
  for (int64_t first = 0; first < params.batch; first += kItemsPerDispatch) {
    params.first_item = first;
    params.items = std::min(kItemsPerDispatch, params.batch - first);
    Argument bytes{Argument::Kind::kBytes};
    bytes.large = items.on_host.data() + first;
    bytes.size = static_cast<uint32_t>(params.items * sizeof(CtcItem));
    launch_part(params, bytes);
  }
}

template <class... Args>
Dispatch with_items(const Argument& items, const Kernel& kernel, const Grid& grid,
                    const Args&... args) {
  Dispatch dispatch = make_dispatch(kernel, grid, args...);
  dispatch.arguments.push_back(items);
  return dispatch;
}

std::tuple<at::Tensor, at::Tensor> ctc_loss(const at::Tensor& log_probs, const at::Tensor& targets,
                                            at::IntArrayRef input_lengths,
                                            at::IntArrayRef target_lengths, int64_t blank,
                                            bool /*zero_infinity*/) {
  check_same_device("_ctc_loss", {{"log_probs", log_probs}, {"targets", targets}});
  check_dtype("ctc_loss_cpu", log_probs.scalar_type(), {at::kFloat});
  TORCH_CHECK(log_probs.numel() > 0, "log_probs tensor must not be empty");
  const Items items = checked_items(log_probs, targets, input_lengths, target_lengths, blank);
  const int64_t columns = 2 * longest_target(items) + 1;
  const int64_t batch = log_probs.size(1);
  at::Tensor log_alpha = at::empty({batch, log_probs.size(0), columns}, log_probs.options());
  at::Tensor losses = at::empty({batch}, log_probs.options());
  const Kernel& alpha = ctc_kernel("ctc_alpha", targets);
  const at::Tensor edges = edges_of_blocks(alpha, log_alpha);
  launch_parts(make_params(log_probs, targets, columns, blank), items,
               [&](const CtcParams& params, const Argument& part) {
                 launch_all({with_items(part, alpha, groups_of_states(alpha, params), log_alpha,
                                        losses, edges, log_probs, targets, params)});
               });
  return {std::move(losses), std::move(log_alpha)};
}

// What accessor<float, dim>() checks, of which the CPU kernel's texts are.
void check_accessor(const at::Tensor& tensor, int64_t dim) {
  TORCH_CHECK(tensor.dim() == dim, "TensorAccessor expected ", dim, " dims but tensor has ",
              tensor.dim());
  check_scalar_type(tensor, at::kFloat);
}

void check_backward(const at::Tensor& grad, const at::Tensor& log_probs, const at::Tensor& targets,
                    const at::Tensor& losses, const at::Tensor& log_alpha, int64_t blank) {
  check_same_device("_ctc_loss_backward", {{"grad", grad},
                                           {"log_probs", log_probs},
                                           {"targets", targets},
                                           {"neg_log_likelihood", losses},
                                           {"log_alpha", log_alpha}});
  check_dtype("ctc_loss_backward_cpu", log_probs.scalar_type(), {at::kFloat});
  at::maybe_wrap_dim(2, log_probs.dim());
  at::maybe_wrap_dim(0, targets.dim(), /*wrap_scalar=*/false);
  check_accessor(log_alpha, 3);
  check_scalar_type(targets, targets.scalar_type() == at::kLong ? at::kLong : at::kInt);
  check_accessor(grad, 1);
  check_accessor(losses, 1);
  check_shapes("_ctc_loss_backward", log_probs, targets, blank);
  // The CPU kernel reads on behind what is too small.
  const int64_t batch = log_probs.size(1);
  TORCH_CHECK(
      log_alpha.size(0) == batch && log_alpha.size(1) == log_probs.size(0) && log_alpha.size(2) > 0,
      "_ctc_loss_backward: log_alpha must be of size [", batch, ", ", log_probs.size(0),
      ", 2 * max_target_length + 1], got ", log_alpha.sizes());
  TORCH_CHECK(grad.size(0) == batch && losses.size(0) == batch,
              "_ctc_loss_backward: grad and neg_log_likelihood must be of size [", batch, "], got ",
              grad.sizes(), " and ", losses.sizes());
}

at::Tensor gradient(const at::Tensor& grad, const at::Tensor& log_probs, const at::Tensor& targets,
                    const Items& items, const at::Tensor& neg_log_likelihood,
                    const at::Tensor& log_alpha, int64_t blank, bool zero_infinity) {
  const int64_t columns = log_alpha.size(2);
  const at::Tensor alphas = log_alpha.contiguous();
  const at::Tensor losses = neg_log_likelihood.contiguous();
  const at::Tensor posteriors = at::empty_like(alphas);
  const at::Tensor links =
      at::empty({log_probs.size(1), columns / 2}, log_probs.options().dtype(at::kInt));
  at::Tensor grad_input = at::empty(log_probs.sizes(), log_probs.options());
  const Kernel& posterior = ctc_kernel("ctc_posterior", targets);
  const Kernel& collect = ctc_kernel("ctc_gradient", targets);
  const at::Tensor edges = edges_of_blocks(posterior, alphas);
  CtcParams all = make_params(log_probs, targets, columns, blank);
  all.grad_stride = grad.stride(0);
  all.zero_infinity = zero_infinity ? 1 : 0;
  launch_parts(all, items, [&](const CtcParams& params, const Argument& part) {
    launch_all({with_items(part, posterior, groups_of_states(posterior, params), posteriors, links,
                           edges, alphas, losses, log_probs, targets, params),
                with_items(part, collect, groups_of_labels(collect, params), grad_input, grad,
                           posteriors, links, losses, log_probs, targets, params)});
  });
  return grad_input;
}

at::Tensor ctc_loss_backward(const at::Tensor& grad, const at::Tensor& log_probs,
                             const at::Tensor& targets, at::IntArrayRef input_lengths,
                             at::IntArrayRef target_lengths, const at::Tensor& neg_log_likelihood,
                             const at::Tensor& log_alpha, int64_t blank, bool zero_infinity) {
  check_backward(grad, log_probs, targets, neg_log_likelihood, log_alpha, blank);
  const Items items = checked_items(log_probs, targets, input_lengths, target_lengths, blank);
  const int64_t columns = 2 * longest_target(items) + 1;
  TORCH_CHECK(log_alpha.size(2) >= columns, "_ctc_loss_backward: log_alpha must have at least ",
              columns, " columns, got ", log_alpha.size(2));
  return gradient(grad, log_probs, targets, items, neg_log_likelihood, log_alpha, blank,
                  zero_infinity);
}

void check_integral(const at::Tensor& input_lengths, const at::Tensor& target_lengths) {
  TORCH_CHECK(at::isIntegralType(input_lengths.scalar_type(), /*includeBool=*/false),
              "input_lengths must be integral");
  TORCH_CHECK(at::isIntegralType(target_lengths.scalar_type(), /*includeBool=*/false),
              "target_lengths must be integral");
}

at::Tensor on_host(const at::Tensor& lengths) {
  return lengths.to(at::kCPU, at::kLong).contiguous();
}

at::IntArrayRef values(const at::Tensor& lengths) {
  return {lengths.const_data_ptr<int64_t>(), static_cast<size_t>(lengths.numel())};
}

std::tuple<at::Tensor, at::Tensor> ctc_loss_tensor(const at::Tensor& log_probs,
                                                   const at::Tensor& targets,
                                                   const at::Tensor& input_lengths,
                                                   const at::Tensor& target_lengths, int64_t blank,
                                                   bool zero_infinity) {
  check_integral(input_lengths, target_lengths);
  const at::Tensor inputs = on_host(input_lengths);
  const at::Tensor labels = on_host(target_lengths);
  return ctc_loss(log_probs, targets, values(inputs), values(labels), blank, zero_infinity);
}

// The shape of log_alpha is known by now: lengths that are on the device stay there. Their values
// go unchecked, as on the CPU; the kernels clamp them.
Items items_on_device(const at::Tensor& log_probs, const at::Tensor& targets,
                      const at::Tensor& input_lengths, const at::Tensor& target_lengths) {
  check_batch_size(log_probs.size(1), input_lengths.numel(), target_lengths.numel());
  const at::Tensor inputs = input_lengths.reshape(-1).to(log_probs.device(), at::kLong);
  const at::Tensor labels = target_lengths.reshape(-1).to(log_probs.device(), at::kLong);
  const at::Tensor offsets =
      targets.dim() == 1 ? at::sub(at::cumsum(labels, 0), labels) : at::zeros_like(labels);
  return {{}, at::stack({inputs, labels, offsets}, 1)};
}

at::Tensor ctc_loss_backward_tensor(const at::Tensor& grad, const at::Tensor& log_probs,
                                    const at::Tensor& targets, const at::Tensor& input_lengths,
                                    const at::Tensor& target_lengths,
                                    const at::Tensor& neg_log_likelihood,
                                    const at::Tensor& log_alpha, int64_t blank,
                                    bool zero_infinity) {
  check_integral(input_lengths, target_lengths);
  if (input_lengths.is_cpu() && target_lengths.is_cpu()) {
    const at::Tensor inputs = on_host(input_lengths);
    const at::Tensor labels = on_host(target_lengths);
    return ctc_loss_backward(grad, log_probs, targets, values(inputs), values(labels),
                             neg_log_likelihood, log_alpha, blank, zero_infinity);
  }
  check_backward(grad, log_probs, targets, neg_log_likelihood, log_alpha, blank);
  return gradient(grad, log_probs, targets,
                  items_on_device(log_probs, targets, input_lengths, target_lengths),
                  neg_log_likelihood, log_alpha, blank, zero_infinity);
}

}  // namespace

MPSOPS_FAMILY(ctc_loss) {
  family.dtypes({at::kFloat}).opinfo({"nn.functional.ctc_loss"});
  // For up to 170 items of a batch; each 170 more take as many again, unless lengths are tensors.
  family.missing<ctc_loss>("aten::_ctc_loss");
  family.missing<ctc_loss_backward>("aten::_ctc_loss_backward").max_dispatches(2);
  family.missing<ctc_loss_tensor>("aten::_ctc_loss.Tensor").opinfo({"_ctc_loss"});
  family.missing<ctc_loss_backward_tensor>("aten::_ctc_loss_backward.Tensor")
      .opinfo({"_ctc_loss"})
      .max_dispatches(2);
}

}  // namespace mpsops
