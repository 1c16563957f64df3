// A step of Adagrad for up to seven tensors in one dispatch, or six where lr is on the device:
//
//   g = grad / grad_scale, negated to maximize, + weight_decay * param
//   sum += g^2
//   param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(sum) + eps)
//
// Nothing is written where found_inf is 1. With a scale, grad becomes grad / grad_scale. A
// threadgroup takes 1024 elements of one tensor, a thread four, 256 apart. Each element of param,
// grad and sum is read once and written once; grad is written only with a scale.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/fused_adagrad.h"

using namespace metal;

constant constexpr uint kThreads = 256;

template <class T>
struct AdagradTensor {
  device T* param;
  device T* grad;
  device T* sum;
  device const float* step;
};

template <class T>
kernel void fused_adagrad(
    device T* param0 [[buffer(0)]], device T* param1 [[buffer(1)]], device T* param2 [[buffer(2)]],
    device T* param3 [[buffer(3)]], device T* param4 [[buffer(4)]], device T* param5 [[buffer(5)]],
    device T* param6 [[buffer(6)]], device T* grad0 [[buffer(7)]], device T* grad1 [[buffer(8)]],
    device T* grad2 [[buffer(9)]], device T* grad3 [[buffer(10)]], device T* grad4 [[buffer(11)]],
    device T* grad5 [[buffer(12)]], device T* grad6 [[buffer(13)]], device T* sum0 [[buffer(14)]],
    device T* sum1 [[buffer(15)]], device T* sum2 [[buffer(16)]], device T* sum3 [[buffer(17)]],
    device T* sum4 [[buffer(18)]], device T* sum5 [[buffer(19)]], device T* sum6 [[buffer(20)]],
    device const float* step0 [[buffer(21)]], device const float* step1 [[buffer(22)]],
    device const float* step2 [[buffer(23)]], device const float* step3 [[buffer(24)]],
    device const float* step4 [[buffer(25)]], device const float* step5 [[buffer(26)]],
    device const float* step6 [[buffer(27)]], device const float* grad_scale [[buffer(28)]],
    device const float* found_inf [[buffer(29)]],
    constant FusedAdagradParams& params [[buffer(30)]],
    uint2 group_position [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]]) {
  const long group = long(linear_index(group_position, groups));
  if (group >= params.groups) {
    return;
  }
  if ((params.given & kFusedAdagradFoundInf) != 0 && found_inf[0] == 1.0f) {
    return;
  }
  uint which = 0;
  while (which + 1 < params.tensors && group >= params.first_groups[which + 1]) {
    ++which;
  }
  AdagradTensor<T> tensor;
  switch (which) {
    case 0:
      tensor = {param0, grad0, sum0, step0};
      break;
    case 1:
      tensor = {param1, grad1, sum1, step1};
      break;
    case 2:
      tensor = {param2, grad2, sum2, step2};
      break;
    case 3:
      tensor = {param3, grad3, sum3, step3};
      break;
    case 4:
      tensor = {param4, grad4, sum4, step4};
      break;
    case 5:
      tensor = {param5, grad5, sum5, step5};
      break;
    default:
      tensor = {param6, grad6, sum6, step6};
  }
  const float lr = (params.given & kFusedAdagradRate) != 0 ? step6[0] : params.lr;
  const float rate = lr / (1.0f + (tensor.step[0] - 1.0f) * params.lr_decay);
  const bool scaled = (params.given & kFusedAdagradScale) != 0;
  const float scale = scaled ? grad_scale[0] : 1.0f;
  const bool maximize = (params.given & kFusedAdagradMaximize) != 0;

  const long first = (group - params.first_groups[which]) * kFusedAdagradGroup + thread_index;
  const long end = min(first + long(kFusedAdagradGroup), long(params.sizes[which]));
  for (long i = first; i < end; i += kThreads) {
    const float param = float(tensor.param[i]);
    float grad = float(tensor.grad[i]);
    if (scaled) {
      grad = grad / scale;
      tensor.grad[i] = T(grad);
    }
    grad = maximize ? -grad : grad;
    if (params.weight_decay != 0.0f) {
      grad += param * params.weight_decay;
    }
    const float sum = float(tensor.sum[i]) + grad * grad;
    tensor.sum[i] = T(sum);
    tensor.param[i] = T(param - rate * grad / (precise::sqrt(sum) + params.eps));
  }
}

INSTANTIATE_FLOATING("fused_adagrad", fused_adagrad)
