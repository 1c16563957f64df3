// The overloads of an op that follow from its out= function, for the registration block:
//
//   Tensor& take_out(const Tensor& self, const Tensor& index, Tensor& out);
//
//   family.missing<functional<take_out>>("aten::take");
//   family.missing<take_out>("aten::take.out");
//
// One function for all: it gets an undefined `out` from the functional overload, and hands every
// output to set_output() before it writes.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace mpsops {

// A new tensor for the functional overload; one that was given is resized as torch resizes out=
// tensors, with its warning. What dtypes it may have is the op's to check.
inline void set_output(at::Tensor& out, at::IntArrayRef sizes, const at::TensorOptions& options) {
  if (out.defined()) {
    at::native::resize_output(out, sizes);
  } else {
    out = at::empty(sizes, options);
  }
}

// The same for ops that are structured in ATen: the dtype, device and memory format of `options`
// are the output's, and an `out` of another dtype or device raises.
inline void set_structured_output(at::Tensor& out, at::IntArrayRef sizes,
                                  const at::TensorOptions& options) {
  if (!out.defined()) {
    out = at::empty(sizes, options);
    return;
  }
  TORCH_CHECK(options.dtype() == out.dtype(), "Expected out tensor to have dtype ", options.dtype(),
              ", but got ", out.dtype(), " instead");
  TORCH_CHECK(options.device() == out.device(), "Expected out tensor to have device ",
              options.device(), ", but got ", out.device(), " instead");
  if (at::native::resize_output(out, sizes) && options.has_memory_format()) {
    out.unsafeGetTensorImpl()->empty_tensor_restride(*options.memory_format_opt());
  }
}

// `written` is where a kernel wrote what `output` is to hold: output itself, or a stand-in for it.
inline void copy_back(const at::Tensor& written, const at::Tensor& output) {
  if (!written.is_same(output)) {
    output.copy_(written);
  }
}

// Contiguous memory for a kernel to write an output in, where the output itself is not.
class DenseOutput {
 public:
  explicit DenseOutput(const at::Tensor& output)
      : output_(output), dense_(output.expect_contiguous()) {}
  const at::Tensor& operator*() const { return *dense_; }
  void copy_back() const { mpsops::copy_back(*dense_, output_); }

 private:
  const at::Tensor& output_;
  c10::MaybeOwned<at::Tensor> dense_;
};

namespace detail {

template <class R>
struct OutputCount;
template <>
struct OutputCount<at::Tensor&> : std::integral_constant<size_t, 1> {};
template <class... Outputs>
struct OutputCount<std::tuple<Outputs...>> : std::integral_constant<size_t, sizeof...(Outputs)> {};

template <auto Function, class Arguments, class Inputs, class Outputs>
struct FromOut;

template <auto Function, class... Arguments, size_t... In, size_t... Out>
struct FromOut<Function, std::tuple<Arguments...>, std::index_sequence<In...>,
               std::index_sequence<Out...>> {
  template <size_t I>
  using Argument = std::tuple_element_t<I, std::tuple<Arguments...>>;

  static auto functional(Argument<In>... inputs) {
    std::array<at::Tensor, sizeof...(Out)> outputs;
    Function(std::forward<Argument<In>>(inputs)..., outputs[Out]...);
    if constexpr (sizeof...(Out) == 1) {
      return std::move(outputs[0]);
    } else {
      return std::make_tuple(std::move(outputs[Out])...);
    }
  }
};

template <auto Function, class Signature>
struct Overloads;

template <auto Function, class R, class Self, class... Rest>
struct Overloads<Function, R (*)(Self, Rest...)> {
  static constexpr size_t kOutputs = OutputCount<R>::value;
  using Outs = FromOut<Function, std::tuple<Self, Rest...>,
                       std::make_index_sequence<1 + sizeof...(Rest) - kOutputs>,
                       std::make_index_sequence<kOutputs>>;
};

// In place: `self` is input and output.
template <auto Function, class Arguments, class Inputs>
struct InPlace;

template <auto Function, class... Arguments, size_t... In>
struct InPlace<Function, std::tuple<Arguments...>, std::index_sequence<In...>> {
  template <size_t I>
  using Argument = std::tuple_element_t<I, std::tuple<Arguments...>>;

  static at::Tensor& call(at::Tensor& self, Argument<In>... inputs) {
    return Function(self, std::forward<Argument<In>>(inputs)..., self);
  }
};

template <auto Function, class Signature>
struct InPlaceOf;

template <auto Function, class... Rest>
struct InPlaceOf<Function, at::Tensor& (*)(const at::Tensor&, Rest...)>
    : InPlace<Function, std::tuple<Rest...>, std::make_index_sequence<sizeof...(Rest) - 1>> {};

}  // namespace detail

// f(inputs...) of f_out(inputs..., out...).
template <auto Function>
inline constexpr auto functional =
    &detail::Overloads<Function, decltype(Function)>::Outs::functional;

// f_(self, inputs...) of f_out(self, inputs..., out), which must be right where out is self.
template <auto Function>
inline constexpr auto inplace = &detail::InPlaceOf<Function, decltype(Function)>::call;

}  // namespace mpsops
