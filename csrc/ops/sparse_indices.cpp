// _convert_indices_from_coo_to_csr and back. Kernels: metal/sparse_indices.metal. Indices that are
// not in order, or out of range, give wrong results, as by the CPU kernels, but reach no memory
// that is not theirs.
#include <algorithm>
#include <iterator>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "metal/params/sparse_indices.h"

namespace mpsops {

namespace {

// As by the functions that torch generates for structured kernels.
void set_index_output(const char* op, const at::Tensor& self, at::IntArrayRef sizes, bool out_int32,
                      at::Tensor& out) {
  const auto options = self.options().dtype(out_int32 ? at::kInt : at::kLong);
  if (out.defined()) {
    check_same_device(op, {{"self", self}, {"out", out}});
    TORCH_CHECK(options.dtype() == out.dtype(), "Expected out tensor to have dtype ",
                options.dtype(), ", but got ", out.dtype(), " instead");
  }
  set_output(out, sizes, options);
}

at::Tensor& coo_to_csr_out(const at::Tensor& self, int64_t size, bool out_int32, at::Tensor& out) {
  TORCH_CHECK(self.dim() <= 1, "Input is supposed to be a vector, but got ", self.dim(),
              " dimensional tensor.");
  set_index_output("_convert_indices_from_coo_to_csr", self, {size + 1}, out_int32, out);
  check_dtype("convert_indices_from_coo_to_csr_cpu", self.scalar_type(), kIntegralDtypes);
  if (self.numel() == 0) {
    return out.zero_();
  }
  const CooToCsrParams params{size, self.numel(), self.dim() == 1 ? self.stride(0) : 1};
  const Kernel& kernel = get_kernel(
      "sparse_indices", kernel_name("coo_to_csr", {out.scalar_type(), self.scalar_type()}));
  const DenseOutput dense(out);
  launch(kernel, grid_for(kernel, size + 1), *dense, self, params);
  dense.copy_back();
  return out;
}

CsrToCooParams make_params(const at::Tensor& crow_indices, const at::Tensor& col_indices,
                           bool transpose) {
  CsrToCooParams params{};
  params.batch_dims = crow_indices.dim() - 1;
  TORCH_CHECK(params.batch_dims <= static_cast<int64_t>(std::size(params.batch_sizes)),
              "mpsops: crow_indices must have at most 17 dimensions, got ", crow_indices.dim());
  const auto batch_sizes = crow_indices.sizes().slice(0, params.batch_dims);
  std::copy(batch_sizes.begin(), batch_sizes.end(), params.batch_sizes);
  params.rows = crow_indices.size(-1) - 1;
  params.entries = col_indices.size(-1);
  params.total = col_indices.numel();
  params.transpose = transpose ? 1 : 0;
  const int64_t expected = c10::multiply_integers(batch_sizes) * params.entries;
  TORCH_CHECK(params.total == expected, "The size of tensor a (", params.total,
              ") must match the size of tensor b (", expected, ") at non-singleton dimension 1");
  return params;
}

at::Tensor& csr_to_coo_out(const at::Tensor& crow_indices, const at::Tensor& col_indices,
                           bool out_int32, bool transpose, at::Tensor& out) {
  const char* const op = "_convert_indices_from_csr_to_coo";
  check_same_device(op, {{"crow_indices", crow_indices}, {"col_indices", col_indices}});
  TORCH_CHECK(crow_indices.dim() == col_indices.dim(),
              "crow_indices and col_indices are supposed to have the same dimensionality, but got ",
              crow_indices.dim(), " and ", crow_indices.dim(),
              " dimensional tensors, respectively.");
  set_index_output(op, crow_indices, {col_indices.dim() + 1, col_indices.numel()}, out_int32, out);
  check_dtype("convert_indices_from_csr_to_coo_cpu", crow_indices.scalar_type(), kIntegralDtypes);
  if (crow_indices.size(-1) <= 1 || col_indices.numel() == 0) {
    return out.zero_();
  }
  const CsrToCooParams params = make_params(crow_indices, col_indices, transpose);
  const at::Tensor offsets = crow_indices.contiguous();
  const at::Tensor columns = col_indices.to(out.scalar_type()).contiguous();
  const Kernel& kernel = get_kernel(
      "sparse_indices", kernel_name("csr_to_coo", {out.scalar_type(), offsets.scalar_type()}));
  const DenseOutput dense(out);
  launch(kernel, grid_for(kernel, params.total), *dense, offsets, columns, params);
  dense.copy_back();
  return out;
}

}  // namespace

MPSOPS_FAMILY(sparse_indices) {
  family.dtypes(kIntegralDtypes);
  family.missing<functional<coo_to_csr_out>>("aten::_convert_indices_from_coo_to_csr")
      .opinfo({"_convert_indices_from_coo_to_csr"});
  family.missing<coo_to_csr_out>("aten::_convert_indices_from_coo_to_csr.out")
      .opinfo({"_convert_indices_from_coo_to_csr"});
  family.missing<functional<csr_to_coo_out>>("aten::_convert_indices_from_csr_to_coo")
      .opinfo({"_convert_indices_from_csr_to_coo"});
  family.missing<csr_to_coo_out>("aten::_convert_indices_from_csr_to_coo.out")
      .opinfo({"_convert_indices_from_csr_to_coo"});
}

}  // namespace mpsops
