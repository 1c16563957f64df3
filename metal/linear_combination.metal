// _compute_linear_combination: a matrix of coefficients times tensors of any shape, as matrix_exp
// wants it. One dispatch; a thread computes one element of up to 4 outputs at a time, so that up to
// 4 outputs read the input once. half and bfloat add up in float, in the order of the terms.
#include "metal/common/elementwise.h"
#include "metal/common/strided.h"
#include "metal/params/linear_combination.h"

constant constexpr uint kOutputsAtOnce = 4;

// Sum is what T adds up in, C what coefficients of T are.
template <class T, class Sum, class C>
[[kernel]] void linear_combination(device T* output [[buffer(0)]],
                                   device const T* input [[buffer(1)]],
                                   device const C* coefficients [[buffer(2)]],
                                   constant LinearCombinationParams& params [[buffer(3)]],
                                   uint2 position [[thread_position_in_grid]],
                                   uint2 grid [[threads_per_grid]]) {
  using Factor = typename ComputeType<C>::type;
  const ulong element = linear_index(position, grid);
  if (element >= ulong(params.elements)) {
    return;
  }
  device const T* source = input + strided_offset(element, params.input_row);
  device T* result = output + strided_offset(element, params.output_row);
  for (long first = 0; first < params.outputs; first += kOutputsAtOnce) {
    const long count = metal::min(params.outputs - first, long(kOutputsAtOnce));
    Sum sums[kOutputsAtOnce];
    for (long i = 0; i < count; ++i) {
      sums[i] = params.add != 0 ? Sum(result[(first + i) * params.output_stride]) : Sum(0);
    }
    for (long term = 0; term < params.terms; ++term) {
      const Sum value = Sum(source[term * params.input_stride]);
      for (long i = 0; i < count; ++i) {
        const C coefficient = coefficients[(first + i) * params.coefficient_strides[0] +
                                           term * params.coefficient_strides[1]];
        sums[i] = Sum(sums[i] + value * Factor(coefficient));
      }
    }
    for (long i = 0; i < count; ++i) {
      result[(first + i) * params.output_stride] = T(sums[i]);
    }
  }
}

INSTANTIATE("linear_combination_float32", linear_combination, float, float, float)
INSTANTIATE("linear_combination_float16", linear_combination, half, float, half)
INSTANTIATE_BFLOAT("linear_combination_bfloat16", linear_combination, bfloat, float, bfloat)
INSTANTIATE("linear_combination_complex64", linear_combination, float2, float2, float)
INSTANTIATE("linear_combination_int64", linear_combination, long, long, long)
INSTANTIATE("linear_combination_int32", linear_combination, int, int, int)
INSTANTIATE("linear_combination_int16", linear_combination, short, short, short)
INSTANTIATE("linear_combination_int8", linear_combination, char, char, char)
INSTANTIATE("linear_combination_uint8", linear_combination, uchar, uchar, uchar)
INSTANTIATE("linear_combination_bool", linear_combination, bool, bool, bool)
