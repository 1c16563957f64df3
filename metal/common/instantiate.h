// Tables of instantiations. INSTANTIATE("name_float32", function, float) makes the kernel that the
// host finds by that name. bfloat rows vanish where the GPU cannot compile the type.
#pragma once

#define INSTANTIATE(name, function, ...) \
  template [[host_name(name)]] [[kernel]] decltype(function<__VA_ARGS__>) function<__VA_ARGS__>;

#ifdef MPSOPS_NO_BFLOAT
#define INSTANTIATE_BFLOAT(name, function, ...)
#else
#define INSTANTIATE_BFLOAT(name, function, ...) INSTANTIATE(name, function, __VA_ARGS__)
#endif

// The rows for one element type: name "<stem>_<dtype>", first template argument the type.
#define INSTANTIATE_FLOATING(stem, function)    \
  INSTANTIATE(stem "_float32", function, float) \
  INSTANTIATE(stem "_float16", function, half)  \
  INSTANTIATE_BFLOAT(stem "_bfloat16", function, bfloat)

#define INSTANTIATE_INTEGRAL(stem, function)  \
  INSTANTIATE(stem "_int64", function, long)  \
  INSTANTIATE(stem "_int32", function, int)   \
  INSTANTIATE(stem "_int16", function, short) \
  INSTANTIATE(stem "_int8", function, char)   \
  INSTANTIATE(stem "_uint8", function, uchar)

#define INSTANTIATE_ALL(stem, function) \
  INSTANTIATE_FLOATING(stem, function)  \
  INSTANTIATE_INTEGRAL(stem, function)  \
  INSTANTIATE(stem "_bool", function, bool)

// The same with one more template argument.
#define INSTANTIATE_FLOATING_WITH(stem, function, argument) \
  INSTANTIATE(stem "_float32", function, float, argument)   \
  INSTANTIATE(stem "_float16", function, half, argument)    \
  INSTANTIATE_BFLOAT(stem "_bfloat16", function, bfloat, argument)

#define INSTANTIATE_INTEGRAL_WITH(stem, function, argument) \
  INSTANTIATE(stem "_int64", function, long, argument)      \
  INSTANTIATE(stem "_int32", function, int, argument)       \
  INSTANTIATE(stem "_int16", function, short, argument)     \
  INSTANTIATE(stem "_int8", function, char, argument)       \
  INSTANTIATE(stem "_uint8", function, uchar, argument)

#define INSTANTIATE_ALL_WITH(stem, function, argument) \
  INSTANTIATE_FLOATING_WITH(stem, function, argument)  \
  INSTANTIATE_INTEGRAL_WITH(stem, function, argument)  \
  INSTANTIATE(stem "_bool", function, bool, argument)
