// Checks that several ops share, with the CPU kernel's exception classes and texts.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/op_registration/adaption.h>
#include <c10/util/Exception.h>

#include <optional>
#include <utility>

namespace mpsops {

// What ATen's AT_DISPATCH_* macros name, without the double that Metal lacks.
inline constexpr std::initializer_list<at::ScalarType> kFloatingDtypes = {at::kFloat, at::kHalf,
                                                                          at::kBFloat16};
inline constexpr std::initializer_list<at::ScalarType> kIntegralDtypes = {
    at::kLong, at::kInt, at::kShort, at::kChar, at::kByte};
inline constexpr std::initializer_list<at::ScalarType> kAllDtypes = {
    at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
    at::kShort, at::kChar, at::kByte,     at::kBool};

// As AT_DISPATCH_*: NotImplementedError '"<name>" not implemented for 'Half''.
inline void check_dtype(const char* name, at::ScalarType dtype,
                        std::initializer_list<at::ScalarType> allowed) {
  for (const auto candidate : allowed) {
    if (dtype == candidate) {
      return;
    }
  }
  TORCH_CHECK_NOT_IMPLEMENTED(false, '"', name, "\" not implemented for '", toString(dtype), "'");
}

// As Tensor::data_ptr<T>(): RuntimeError 'expected scalar type Long but found Int'.
inline void check_scalar_type(const at::Tensor& tensor, at::ScalarType expected) {
  TORCH_CHECK(tensor.scalar_type() == expected, "expected scalar type ", expected, " but found ",
              tensor.scalar_type());
}

// As the wrappers that torch generates around its kernels. Undefined tensors pass.
inline void check_same_device(
    const char* op, std::initializer_list<std::pair<const char*, const at::Tensor&>> arguments) {
  std::optional<c10::Device> device;
  for (const auto& [name, tensor] : arguments) {
    c10::impl::check_and_update_common_device(device, tensor, op, name);
  }
}

// Metal has no double: what torch says when something would have to be one on MPS.
inline void check_representable(at::ScalarType dtype) {
  TORCH_CHECK_TYPE(dtype != at::kDouble && dtype != at::kComplexDouble,
                   "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "
                   "support float64. Please use float32 instead.");
}

}  // namespace mpsops
