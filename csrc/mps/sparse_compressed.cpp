#include "csrc/mps/sparse_compressed.h"

#include <ATen/SparseCsrTensorImpl.h>

namespace mpsops {

namespace {

at::SparseCsrTensorImpl* impl_of(const at::Tensor& compressed) {
  return static_cast<at::SparseCsrTensorImpl*>(compressed.unsafeGetTensorImpl());
}

// The constructor of torch's class asserts that the device is one of those it knows, MPS not among
// them; nothing else in it cares. So it is born on meta, and moves.
class MpsCompressedImpl final : public at::SparseCsrTensorImpl {
 public:
  MpsCompressedImpl(at::Layout layout, caffe2::TypeMeta dtype)
      : SparseCsrTensorImpl(c10::DispatchKeySet(c10::DispatchKey::SparseCsrMeta),
                            c10::Device(c10::kMeta), layout, dtype) {
    const c10::Device mps(c10::kMPS, 0);
    _change_backend_component_keys(mps);
    device_opt_ = mps;
  }

  c10::intrusive_ptr<c10::TensorImpl> shallow_copy_and_detach(
      const c10::VariableVersion& version, bool allow_tensor_metadata_change) const override {
    return copy(version, allow_tensor_metadata_change);
  }
  c10::intrusive_ptr<c10::TensorImpl> shallow_copy_and_detach(
      c10::VariableVersion&& version, bool allow_tensor_metadata_change) const override {
    return copy(version, allow_tensor_metadata_change);
  }

 private:
  c10::intrusive_ptr<c10::TensorImpl> copy(const c10::VariableVersion& version,
                                           bool allow_tensor_metadata_change) const {
    auto impl = c10::make_intrusive<MpsCompressedImpl>(layout_impl(), dtype());
    TensorImpl::copy_tensor_metadata(this, impl.get(), version, allow_tensor_metadata_change);
    impl->crow_indices_ = crow_indices_;
    impl->col_indices_ = col_indices_;
    impl->values_ = values_;
    impl->refresh_numel();
    return impl;
  }
};

}  // namespace

bool is_compressed(const at::Tensor& tensor) {
  const auto layout = tensor.layout();
  return layout == at::kSparseCsr || layout == at::kSparseCsc || layout == at::kSparseBsr ||
         layout == at::kSparseBsc;
}

CompressedParts parts_of(const at::Tensor& compressed) {
  auto* impl = impl_of(compressed);
  return {impl->compressed_indices(), impl->plain_indices(), impl->values()};
}

at::Tensor make_compressed(const CompressedParts& parts, at::IntArrayRef size, at::Layout layout) {
  const auto dtype = parts.values.dtype();
  auto tensor = parts.values.is_mps() ? at::detail::make_tensor<MpsCompressedImpl>(layout, dtype)
                                      : at::detail::make_tensor<at::SparseCsrTensorImpl>(
                                            c10::DispatchKeySet(c10::DispatchKey::SparseCsrCPU),
                                            c10::Device(c10::kCPU), layout, dtype);
  replace_parts(tensor, parts, size);
  return tensor;
}

void replace_parts(const at::Tensor& compressed, const CompressedParts& parts,
                   at::IntArrayRef size) {
  impl_of(compressed)
      ->set_member_tensors(parts.compressed_indices, parts.plain_indices, parts.values, size);
}

}  // namespace mpsops
