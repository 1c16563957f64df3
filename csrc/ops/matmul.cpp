// Matrix products whose result has a wider dtype than their operands: _int_mm, and the overloads
// with out_dtype=. Tiles of metal/matmul.metal; one dispatch for each call, no scratch, operands
// and results of any strides. Where out_dtype is the operands' own, torch's kernels do it.
#include <ATen/ExpandUtils.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <cstdlib>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "metal/params/matmul.h"

namespace mpsops {

namespace {

using at::Scalar;
using at::ScalarType;
using at::Tensor;

constexpr int64_t kLargeTile = 64;
constexpr int64_t kSmallTile = 16;
constexpr int64_t kEnoughTiles = 32;  // below, small tiles keep more of the GPU busy
constexpr uint32_t kThreads = 256;

int64_t tiles(const MatmulParams& params, int64_t side) {
  return params.batch * ((params.rows + side - 1) / side) * ((params.columns + side - 1) / side);
}

// Batch, row and column; a matrix has no batch.
void fill(int64_t (&strides)[3], const Tensor& tensor) {
  strides[0] = tensor.dim() == 3 ? tensor.stride(0) : 0;
  strides[1] = tensor.stride(-2);
  strides[2] = tensor.stride(-1);
}

MatmulParams params_of(const Tensor& out, const Tensor& left, const Tensor& right) {
  MatmulParams params{};
  params.batch = out.dim() == 3 ? out.size(0) : 1;
  params.rows = left.size(-2);
  params.columns = right.size(-1);
  params.inner = left.size(-1);
  fill(params.left_strides, left);
  fill(params.right_strides, right);
  fill(params.out_strides, out);
  params.left_by_rows = left.stride(-1) <= left.stride(-2) ? 1 : 0;
  params.right_by_rows = right.stride(-1) <= right.stride(-2) ? 1 : 0;
  return params;
}

struct Launch {
  const Kernel& kernel;
  Grid grid;
};

Launch tiled(std::string stem, std::initializer_list<ScalarType> dtypes,
             const MatmulParams& params) {
  const bool small = tiles(params, kLargeTile) < kEnoughTiles;
  const Kernel& kernel = get_kernel("matmul", kernel_name(stem + (small ? "_small" : ""), dtypes));
  return {kernel, groups_for(tiles(params, small ? kSmallTile : kLargeTile), kThreads)};
}

void multiply(const Tensor& left, const Tensor& right, const Tensor& out) {
  if (out.numel() == 0) {
    return;
  }
  const MatmulParams params = params_of(out, left, right);
  const Launch work = tiled("matmul", {left.scalar_type()}, params);
  launch(work.kernel, work.grid, out, left, right, params);
}

void multiply_and_add(const Tensor& added, const Tensor& left, const Tensor& right,
                      const Scalar& beta, const Scalar& alpha, const Tensor& out) {
  if (out.numel() == 0) {
    return;
  }
  MatmulParams params = params_of(out, left, right);
  const Tensor expanded = added.expand(out.sizes());
  fill(params.added_strides, expanded);
  params.alpha = alpha.to<float>();
  params.beta = beta.to<float>();
  const Launch work = tiled("addmm", {left.scalar_type(), added.scalar_type()}, params);
  launch(work.kernel, work.grid, out, left, right, expanded, params);
}

void check_int_mm(const Tensor& self, const Tensor& mat2) {
  const char* const name = "int_mm_out_cpu";
  TORCH_CHECK(self.dim() == 2, name, ": Expected self to be of dimension 2 but got ", self.dim());
  TORCH_CHECK(mat2.dim() == 2, name, ": Expected mat2 to be of dimension 2 but got ", mat2.dim());
  TORCH_CHECK(self.size(1) == mat2.size(0), name,
              ": self.size(1) needs to match mat2.size(0) but got ", self.size(1), " and ",
              mat2.size(0));
  TORCH_CHECK(self.scalar_type() == at::kChar || self.scalar_type() == at::kByte, name,
              ": Expected self dtype to be int8 or uint8 but got ", self.dtype());
  TORCH_CHECK(mat2.scalar_type() == at::kChar, name,
              ": Expected mat2 dtype to be of type int8 but got ", mat2.dtype());
}

Tensor& int_mm_out(const Tensor& self, const Tensor& mat2, Tensor& out) {
  const char* const name = "int_mm_out_cpu";
  check_int_mm(self, mat2);
  TORCH_CHECK(out.dtype() == at::kInt, name, ": Expected result dtype to be of type kInt but got ",
              out.dtype());
  TORCH_CHECK(out.size(0) == self.size(0), name, ": Expected result.size(0) to be ", self.size(0),
              " but got ", out.size(0));
  TORCH_CHECK(out.size(1) == mat2.size(1), name, ": Expected result.size(1) to be ", mat2.size(1),
              " but got ", out.size(1));
  TORCH_CHECK(out.dim() == 2, name, ": Expected result to be of dimension 2 but got ", out.dim());
  TORCH_CHECK(out.is_contiguous(), name, ": Expected result to be contiguous.");
  multiply(self, mat2, out);
  return out;
}

Tensor int_mm(const Tensor& self, const Tensor& mat2) {
  Tensor out = at::empty({self.size(0), mat2.size(1)}, self.options().dtype(at::kInt));
  return int_mm_out(self, mat2, out);
}

void check_out_dtype(ScalarType out_dtype, const Tensor& operand, const Tensor& out) {
  const bool widens = out_dtype == at::kFloat && (operand.scalar_type() == at::kHalf ||
                                                  operand.scalar_type() == at::kBFloat16);
  TORCH_CHECK(out_dtype == operand.scalar_type() || widens,
              "out_dtype must be the same as input dtype or fp32 for fp16/bf16 inputs");
  TORCH_CHECK(!out.defined() || out.scalar_type() == out_dtype,
              "out_dtype must be the same as the dtype of the provided out tensor");
}

void check_matrices(const char* name, const Tensor& mat1, const Tensor& mat2) {
  TORCH_CHECK(mat1.dim() == 2, name, " must be a matrix, got ", mat1.dim(), "-D tensor");
  TORCH_CHECK(mat2.dim() == 2, "mat2 must be a matrix, got ", mat2.dim(), "-D tensor");
  TORCH_CHECK(mat1.size(1) == mat2.size(0), "mat1 and mat2 shapes cannot be multiplied (",
              mat1.size(0), "x", mat1.size(1), " and ", mat2.size(0), "x", mat2.size(1), ")");
}

void check_batches(const Tensor& batch1, const Tensor& batch2) {
  TORCH_CHECK(batch1.dim() == 3, "batch1 must be a 3D tensor");
  TORCH_CHECK(batch2.dim() == 3, "batch2 must be a 3D tensor");
  TORCH_CHECK(batch2.size(0) == batch1.size(0) && batch2.size(1) == batch1.size(2),
              "Expected size for first two dimensions of batch2 tensor to be: [", batch1.size(0),
              ", ", batch1.size(2), "] but got: [", batch2.size(0), ", ", batch2.size(1), "].");
  TORCH_CHECK(batch1.scalar_type() == batch2.scalar_type(),
              "batch1 and batch2 must have the same dtype");
}

// The operand's own dtype: torch's kernel, into `out` or a tensor of its own.
template <class New, class Into>
Tensor& by_torch(Tensor& out, const New& make, const Into& fill) {
  if (out.defined()) {
    fill(out);
  } else {
    out = make();
  }
  return out;
}

Tensor& mm_dtype_out(const Tensor& self, const Tensor& mat2, ScalarType out_dtype, Tensor& out) {
  check_same_device("mm", {{"self", self}, {"mat2", mat2}, {"out", out}});
  check_matrices("self", self, mat2);
  TORCH_CHECK(self.scalar_type() == mat2.scalar_type(), "input dtypes must be the same");
  check_out_dtype(out_dtype, self, out);
  if (out_dtype == self.scalar_type()) {
    return by_torch(
        out, [&] { return at::mm(self, mat2); }, [&](Tensor& o) { at::mm_out(o, self, mat2); });
  }
  set_output(out, {self.size(0), mat2.size(1)}, self.options().dtype(out_dtype));
  multiply(self, mat2, out);
  return out;
}

Tensor& bmm_dtype_out(const Tensor& self, const Tensor& mat2, ScalarType out_dtype, Tensor& out) {
  check_same_device("bmm", {{"self", self}, {"mat2", mat2}, {"out", out}});
  check_batches(self, mat2);
  check_out_dtype(out_dtype, self, out);
  if (out_dtype == self.scalar_type()) {
    return by_torch(
        out, [&] { return at::bmm(self, mat2); }, [&](Tensor& o) { at::bmm_out(o, self, mat2); });
  }
  set_output(out, {self.size(0), self.size(1), mat2.size(2)}, self.options().dtype(out_dtype));
  multiply(self, mat2, out);
  return out;
}

Tensor& addmm_dtype_out(const Tensor& self, const Tensor& mat1, const Tensor& mat2,
                        ScalarType out_dtype, const Scalar& beta, const Scalar& alpha,
                        Tensor& out) {
  check_same_device("addmm", {{"self", self}, {"mat1", mat1}, {"mat2", mat2}, {"out", out}});
  check_matrices("mat1", mat1, mat2);
  TORCH_CHECK(mat1.scalar_type() == mat2.scalar_type(),
              "mat1 and mat2 must have the same dtype, but got ", mat1.scalar_type(), " and ",
              mat2.scalar_type());
  check_out_dtype(out_dtype, mat1, out);
  TORCH_CHECK(out_dtype == self.scalar_type() || self.scalar_type() == mat1.scalar_type(),
              "self dtype must match either out_dtype or mat1 dtype");
  if (out_dtype == mat1.scalar_type()) {
    return by_torch(
        out, [&] { return at::addmm(self, mat1, mat2, beta, alpha); },
        [&](Tensor& o) { at::addmm_out(o, self, mat1, mat2, beta, alpha); });
  }
  const std::array<int64_t, 2> sizes{mat1.size(0), mat2.size(1)};
  const auto added = at::expand_size(self, sizes, "addmm");
  set_output(out, sizes, mat1.options().dtype(out_dtype));
  multiply_and_add(*added, mat1, mat2, beta, alpha, out);
  return out;
}

Tensor& baddbmm_dtype_out(const Tensor& self, const Tensor& batch1, const Tensor& batch2,
                          ScalarType out_dtype, const Scalar& beta, const Scalar& alpha,
                          Tensor& out) {
  check_same_device("baddbmm",
                    {{"self", self}, {"batch1", batch1}, {"batch2", batch2}, {"out", out}});
  check_batches(batch1, batch2);
  TORCH_CHECK(self.scalar_type() == out_dtype || self.scalar_type() == batch1.scalar_type(),
              "self dtype must match either out_dtype or batch1 dtype");
  check_out_dtype(out_dtype, batch1, out);
  if (out_dtype == batch1.scalar_type()) {
    return by_torch(
        out, [&] { return at::baddbmm(self, batch1, batch2, beta, alpha); },
        [&](Tensor& o) { at::baddbmm_out(o, self, batch1, batch2, beta, alpha); });
  }
  const std::array<int64_t, 3> sizes{batch1.size(0), batch1.size(1), batch2.size(2)};
  const auto added = at::expand_size(self, sizes, "baddbmm");
  set_output(out, sizes, batch1.options().dtype(out_dtype));
  multiply_and_add(*added, batch1, batch2, beta, alpha, out);
  return out;
}

}  // namespace

MPSOPS_FAMILY(matmul) {
  family.dtypes({at::kChar, at::kByte}).opinfo({"_int_mm"});
  family.missing<int_mm>("aten::_int_mm");
  family.missing<int_mm_out>("aten::_int_mm.out");

  family.dtypes({at::kHalf, at::kBFloat16}).opinfo({"mm.dtype"});
  family.missing<functional<mm_dtype_out>>("aten::mm.dtype");
  family.missing<mm_dtype_out>("aten::mm.dtype_out");
  family.opinfo({"bmm.dtype"});
  family.missing<functional<bmm_dtype_out>>("aten::bmm.dtype");
  family.missing<bmm_dtype_out>("aten::bmm.dtype_out");
  family.opinfo({"addmm.dtype"});
  family.missing<functional<addmm_dtype_out>>("aten::addmm.dtype");
  family.missing<addmm_dtype_out>("aten::addmm.dtype_out");
  // No entry: torch's meta kernel of it multiplies by a dtype, so that no generated test can run.
  family.opinfo({});
  family.missing<functional<baddbmm_dtype_out>>("aten::baddbmm.dtype");
  family.missing<baddbmm_dtype_out>("aten::baddbmm.dtype_out");
}

}  // namespace mpsops
