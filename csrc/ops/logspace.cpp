// Kernels: metal/logspace.metal. The functional forms and those with tensors as ends are torch's,
// which lead here.
#include <ATen/Dispatch.h>
#include <c10/util/MathConstants.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "csrc/core/checks.h"
#include "csrc/core/kernel.h"
#include "csrc/core/overloads.h"
#include "csrc/core/registry.h"
#include "metal/params/logspace.h"

namespace mpsops {

namespace {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

constexpr int kPoint = 96;  // bits behind the point of LogspaceFixed, and of logarithms
constexpr int kDoubleBits = 53;
constexpr int kIntegerBits = 29;  // before the point: more would overflow in a difference

// With the difference rounded in the output's dtype, as by the CPU kernel.
struct Ends {
  double start;
  double end;
  double difference;

  bool finite() const {
    return std::isfinite(start) && std::isfinite(end) && std::isfinite(difference);
  }
};

int bit_width(Int128 value) {
  const auto magnitude = static_cast<UInt128>(value < 0 ? -value : value);
  const auto high = static_cast<uint64_t>(magnitude >> 64);
  return high != 0 ? 64 + std::bit_width(high) : std::bit_width(static_cast<uint64_t>(magnitude));
}

// factor * x for finite x, where that has at most kIntegerBits before the point.
Int128 fixed_product(Int128 factor, double x) {
  int exponent = 0;
  const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(x, &exponent), kDoubleBits));
  if (mantissa == 0) {
    return 0;
  }
  const int zeros = std::countr_zero(static_cast<uint64_t>(mantissa));
  const int64_t odd = mantissa / (int64_t{1} << zeros);
  const int excess = std::max(bit_width(factor) + bit_width(odd) - 126, 0);
  const Int128 product = (factor >> excess) * odd;
  const int shift = excess + exponent - kDoubleBits + zeros;
  if (shift >= 0) {
    return product * (Int128{1} << shift);
  }
  return shift <= -127 ? 0 : product >> -shift;
}

LogspaceFixed to_params(Int128 value) {
  return {static_cast<int64_t>(value >> 64), static_cast<uint64_t>(value)};
}

// factor * x between the ends. A line that goes beyond 2^29 is scaled down, which keeps where it
// crosses 0, and ends beyond 2^20 stay there: all that is out of float's reach remains so.
LogspaceLine make_line(Int128 factor, const Ends& ends, int64_t steps) {
  const double largest =
      std::max({std::abs(ends.start), std::abs(ends.end), std::abs(ends.difference)});
  int exponent = 0;
  std::frexp(largest, &exponent);
  const int width = bit_width(factor) - kPoint;
  const int scale = std::max(exponent + width - kIntegerBits, 0);
  const auto scaled = [&](double x) { return fixed_product(factor, std::ldexp(x, -scale)); };
  const auto end = [&](double x) {
    const double least = std::min(std::abs(x), std::ldexp(1.0, 21 - width));
    return scale > 0 && std::abs(std::ldexp(x, -scale)) < least
               ? fixed_product(factor, std::copysign(least, x))
               : scaled(x);
  };
  return {to_params(end(ends.start)), to_params(end(ends.end)),
          to_params(scaled(ends.difference) / (steps - 1))};
}

constexpr Int128 kOne = Int128{1} << kPoint;

// log2(x) for finite x > 0, bit by bit: squaring doubles the logarithm.
Int128 log2_fixed(double x) {
  int exponent = 0;
  const double half = std::frexp(x, &exponent);
  // In [1, 2), in 2^-126.
  UInt128 mantissa = static_cast<UInt128>(static_cast<uint64_t>(std::ldexp(half, 64))) << 63;
  Int128 log = exponent - 1;
  for (int bit = 0; bit < kPoint; ++bit) {
    const auto high = static_cast<uint64_t>(mantissa >> 64);
    const auto low = static_cast<uint64_t>(mantissa);
    const UInt128 square =
        ((static_cast<UInt128>(high) * high) << 2) + ((static_cast<UInt128>(high) * low) >> 61);
    const bool above = (square >> 127) != 0;
    mantissa = above ? square >> 1 : square;
    log = log * 2 + (above ? 1 : 0);
  }
  return log;
}

bool has_logarithm(double base) {
  return base != 0 && std::isfinite(base);
}

LogspaceParams real_params(const Ends& ends, int64_t steps, double base) {
  LogspaceParams params{};
  params.steps = steps;
  params.start = static_cast<float>(ends.start);
  params.end = static_cast<float>(ends.end);
  params.base = static_cast<float>(base);
  params.finite = ends.finite() ? 1 : 0;
  if (ends.finite()) {
    params.x = make_line(kOne, ends, steps);
  }
  if (!ends.finite() || !has_logarithm(base)) {
    params.kind = kLogspacePlain;
    return params;
  }
  params.kind = base < 0 ? kLogspaceNegative : kLogspacePower;
  params.exponent = make_line(log2_fixed(std::abs(base)), ends, steps);
  return params;
}

using Complex = c10::complex<double>;

struct ComplexEnds {
  Complex start;
  Complex end;
  Complex difference;

  // real * x.real() + imag * x.imag() along the line.
  Ends combined(double real, double imag) const {
    const auto value = [&](Complex x) {
      return (real == 0 ? 0 : real * x.real()) + (imag == 0 ? 0 : imag * x.imag());
    };
    return {value(start), value(end), value(difference)};
  }
};

LogspaceParams complex_params(const ComplexEnds& ends, int64_t steps, double base) {
  LogspaceParams params{};
  params.steps = steps;
  params.base = static_cast<float>(base);
  params.finite = ends.combined(1, 1).finite() ? 1 : 0;
  if (params.finite == 0 || !has_logarithm(base)) {
    params.kind = kLogspacePlain;
    if (params.finite != 0) {
      params.x = make_line(kOne, ends.combined(1, 0), steps);
    }
    return params;
  }
  // log(base) = log|base| + i pi turn
  const double turn = base < 0 ? 1 : 0;
  const double log = std::log(std::abs(base));
  params.exponent = make_line(
      kOne, ends.combined(std::log2(std::abs(base)), -turn * c10::pi<double> / std::log(2.0)),
      steps);
  params.x = make_line(kOne, ends.combined(turn, log / c10::pi<double>), steps);
  return params;
}

LogspaceParams make_params(const at::Scalar& start, const at::Scalar& end, int64_t steps,
                           double base, at::ScalarType dtype) {
  LogspaceParams params{};
  if (at::isComplexType(dtype)) {
    AT_DISPATCH_COMPLEX_TYPES(dtype, "logspace_cpu", [&] {
      const auto first = start.to<scalar_t>();
      const auto last = end.to<scalar_t>();
      params = complex_params({first, last, last - first}, steps, base);
    });
    return params;
  }
  AT_DISPATCH_ALL_TYPES_AND2(at::kBFloat16, at::kHalf, dtype, "logspace_cpu", [&] {
    const auto first = start.to<scalar_t>();
    const auto last = end.to<scalar_t>();
    Ends ends{static_cast<double>(first), static_cast<double>(last), 0};
    if constexpr (std::is_integral_v<scalar_t>) {
      ends.difference = ends.end - ends.start;
    } else {
      ends.difference = static_cast<double>(static_cast<scalar_t>(last - first));
    }
    params = real_params(ends, steps, base);
  });
  return params;
}

at::Tensor& logspace_out(const at::Scalar& start, const at::Scalar& end, int64_t steps, double base,
                         at::Tensor& result) {
  TORCH_CHECK(steps >= 0, "number of steps must be non-negative");
  // Unlike other outputs: silently, and not where only the shape differs.
  if (result.numel() != steps) {
    result.resize_({steps});
  }
  const auto dtype = result.scalar_type();
  if (steps == 1) {
    if (result.is_complex()) {
      return result.fill_(std::pow(base, start.to<Complex>()));
    }
    return result.fill_(std::pow(base, start.to<double>()));
  }
  if (steps > 1) {
    const LogspaceParams params = make_params(start, end, steps, base, dtype);
    const DenseOutput dense(result);
    const Kernel& kernel = get_kernel("logspace", kernel_name("logspace", {dtype}));
    launch(kernel, grid_for(kernel, steps), *dense, params);
    dense.copy_back();
  }
  return result;
}

}  // namespace

MPSOPS_FAMILY(logspace) {
  family
      .dtypes({at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
               at::kByte, at::kComplexFloat})
      .opinfo({"torch.logspace"});
  family.missing<logspace_out>("aten::logspace.out");
}

}  // namespace mpsops
