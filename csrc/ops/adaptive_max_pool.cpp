#include <torch/version.h>

#include "csrc/core/checks.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "csrc/ops/adaptive_pool.h"
#include "csrc/ops/pool.h"

namespace mpsops {

namespace {

using at::IntArrayRef;
using at::MemoryFormat;
using at::Tensor;

// The words in which the CPU's errors differ between two and three dimensions.
struct Words {
  int64_t spatial_dims;
  const char* op;
  const char* dtype_name;
  const char* dims;           // "3D or 4D"
  const char* backward;       // in errors about empty tensors and dtypes
  const char* backward_dims;  // in errors about dimensions
  const char* grad_output;
};

constexpr Words kWords2d{2,
                         "adaptive_max_pool2d",
                         "adaptive_max_pool2d",
                         "3D or 4D",
                         "adaptive_max_pool2d_backward",
                         "adaptive_max_pooling2d_backward",
                         "grad_output"};
constexpr Words kWords3d{
    3,           "adaptive_max_pool3d",          "adaptive_max_pool3d_cpu",
    "4D or 5D",  "adaptive_max_pool3d_backward", "adaptive_max_pool3d_backward",
    "gradOutput"};

template <int SpatialDims>
constexpr const Words& kWords = SpatialDims == 2 ? kWords2d : kWords3d;

bool has_pooled_dims(const Words& words, const Tensor& tensor) {
  return tensor.dim() == words.spatial_dims + 1 || tensor.dim() == words.spatial_dims + 2;
}

// The CPU kernels of 2-D pooling name themselves by the layout.
void check_floating(const Words& words, std::string name, const Tensor& tensor) {
  if (words.spatial_dims == 2 && tensor.suggest_memory_format() == MemoryFormat::ChannelsLast) {
    name += "_channels_last";
  }
  check_dtype(name.c_str(), tensor.scalar_type(), kFloatingDtypes);
}

MemoryFormat output_format(const Words& words, const Tensor& input) {
  return words.spatial_dims == 2 && input.dim() == 4 ? input.suggest_memory_format()
                                                     : MemoryFormat::Contiguous;
}

c10::SmallVector<int64_t, 5> check_forward(const Words& words, const Tensor& self,
                                           IntArrayRef output_size) {
  TORCH_CHECK(has_pooled_dims(words, self), words.op, "(): Expected ", words.dims,
              " tensor, but got: ", self.sizes());
  check_not_empty_from(1, words.op, "input", self);
  TORCH_CHECK(static_cast<int64_t>(output_size.size()) == words.spatial_dims, words.op,
              "(): internal error: output_size.size() must be ", words.spatial_dims);
  c10::SmallVector<int64_t, 5> sizes(self.sizes().begin(), self.sizes().end());
  std::copy(output_size.begin(), output_size.end(), sizes.end() - words.spatial_dims);
  for (const auto size : output_size) {
    TORCH_CHECK(size >= 0, "Trying to create tensor with negative dimension ", size, ": ",
                IntArrayRef(sizes));
  }
  return sizes;
}

void run_forward(const Words& words, const Tensor& self, const Tensor& output,
                 const Tensor& indices) {
  check_floating(words, words.dtype_name, self);
  Pool pool(words.spatial_dims, output, self, indices);
  if (pool.empty()) {
    return;
  }
  const Kernel& kernel = pool.kernel("adaptive_max_pool", "adaptive_max_pool", self.scalar_type(),
                                     pool.adaptive_windows());
  launch(kernel, pool.grid(kernel), output, indices, self, pool.params);
}

template <int SpatialDims>
std::tuple<Tensor&, Tensor&> adaptive_max_pool_out(const Tensor& self, IntArrayRef output_size,
                                                   Tensor& out, Tensor& indices) {
  const Words& words = kWords<SpatialDims>;
  const auto sizes = check_forward(words, self, output_size);
  const auto options = self.options().memory_format(output_format(words, self));
  set_structured_output(out, sizes, options);
  set_structured_output(indices, sizes, options.dtype(at::kLong));
  run_forward(words, self, out, indices);
  return {out, indices};
}

void check_backward(const Words& words, const Tensor& grad_output, const Tensor& self,
                    const Tensor& indices) {
  TORCH_CHECK(has_pooled_dims(words, grad_output), words.backward_dims, "(): Expected ", words.dims,
              " ", words.grad_output, ", but got: ", grad_output.sizes());
  check_not_empty_from(1, words.backward, "grad_output", grad_output);
  TORCH_CHECK(self.dtype() == grad_output.dtype(), "expected dtype ", self.dtype(), " for `",
              words.grad_output, "` but got dtype ", grad_output.dtype());
  TORCH_CHECK(self.dim() == indices.dim(), "expected dimensions ", self.dim(),
              " for `indices` but got dimensions ", indices.dim());
  TORCH_CHECK(indices.sizes() == grad_output.sizes(), "expected sizes ", indices.sizes(), " for `",
              words.grad_output, "` but got sizes ", grad_output.sizes());
  TORCH_CHECK(indices.scalar_type() == at::kLong, "expected scalar type Long but found ",
              indices.scalar_type());
  check_same_planes(words.backward, words.spatial_dims, grad_output, self);
}

// An index outside the window of its output, which no forward pass gives, gets no gradient.
void run_backward(const Words& words, const Tensor& grad_output, const Tensor& indices,
                  const Tensor& grad_input) {
  check_floating(words, words.backward, grad_output);
  Pool pool(words.spatial_dims, grad_input, grad_output, indices);
  if (pool.empty()) {
    return;
  }
  const Kernel& kernel =
      pool.kernel("adaptive_max_pool", "adaptive_max_pool_backward", grad_input.scalar_type());
  launch(kernel, pool.grid(kernel), grad_input, grad_output, indices, pool.params);
}

template <int SpatialDims>
Tensor& adaptive_max_pool_backward_out(const Tensor& grad_output, const Tensor& self,
                                       const Tensor& indices, Tensor& grad_input) {
  const Words& words = kWords<SpatialDims>;
  check_backward(words, grad_output, self, indices);
  set_structured_output(grad_input, self.sizes(),
                        self.options().memory_format(output_format(words, self)));
  run_backward(words, grad_output, indices, grad_input);
  return grad_input;
}

}  // namespace

MPSOPS_FAMILY(adaptive_max_pool) {
  family.dtypes(kFloatingDtypes);

  // Fixed in torch 2.15 (github.com/pytorch/pytorch/issues/190064).
  if (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 15) {
    const char* const divides =
        "torch gives wrong values, indices and shapes where input and output sizes do not divide";
    const auto pool_2d = {"nn.functional.adaptive_max_pool1d", "nn.functional.adaptive_max_pool2d"};
    family.partial<functional<adaptive_max_pool_out<2>>>("aten::adaptive_max_pool2d")
        .because(divides)
        .torch_errs()
        .opinfo(pool_2d);
    family.partial<adaptive_max_pool_out<2>>("aten::adaptive_max_pool2d.out")
        .because(divides)
        .torch_errs();
    family
        .partial<functional<adaptive_max_pool_backward_out<2>>>(
            "aten::adaptive_max_pool2d_backward")
        .because(divides)
        .torch_errs()
        .opinfo(pool_2d);
    family
        .partial<adaptive_max_pool_backward_out<2>>("aten::adaptive_max_pool2d_backward.grad_input")
        .because(divides)
        .torch_errs();
  }

  const auto pool_3d = {"nn.functional.adaptive_max_pool3d"};
  family.missing<functional<adaptive_max_pool_out<3>>>("aten::adaptive_max_pool3d").opinfo(pool_3d);
  family.missing<adaptive_max_pool_out<3>>("aten::adaptive_max_pool3d.out");
  family
      .missing<functional<adaptive_max_pool_backward_out<3>>>("aten::adaptive_max_pool3d_backward")
      .opinfo(pool_3d);
  family.missing<adaptive_max_pool_backward_out<3>>(
      "aten::adaptive_max_pool3d_backward.grad_input");
}

}  // namespace mpsops
