// Matrix products in a wider dtype than their operands: int8 and uint8 to int32, half and bfloat16
// to float32, also alpha * product + beta * added. A threadgroup of 256 threads makes a tile of the
// result; it walks along the inner dimension in steps of 16, for which it brings tiles of both
// operands, widened, to threadgroup memory. A thread sums R x R elements of the result in
// registers: R is 4 (tiles of 64 x 64), or 1 (16 x 16) where there are few tiles. Operands may be
// transposed or strided: threads follow memory when they load. One dispatch; each operand is read
// once per tile of the other, the result written once. The sum runs in order: same in each run.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/matmul.h"

using namespace metal;

constant constexpr uint kSide = 16;  // threads along a side of the tile
constant constexpr uint kStep = 16;  // of the inner dimension
constant constexpr uint kThreads = kSide * kSide;

// Where a threadgroup's tile of the result is. Positions are wide: sizes may be.
template <uint R>
struct Tile {
  Tile(ulong index, constant MatmulParams& params) {
    const ulong across = (ulong(params.columns) + kSide * R - 1) / (kSide * R);
    const ulong down = (ulong(params.rows) + kSide * R - 1) / (kSide * R);
    column = long(index % across) * kSide * R;
    row = long(index / across % down) * kSide * R;
    batch = long(index / across / down);
  }
  long batch;
  long row;
  long column;
};

// Brings kSide * R lines of kStep elements to threadgroup memory, element k of line i to
// [k][i]: consecutive threads take neighbours in memory. Zero outside of the matrix.
template <typename T, typename Sum, uint R>
inline void load(threadgroup Sum* tile, const device T* source, long line_stride, long stride,
                 bool along, long lines, long count, uint thread_index) {
  constexpr uint kLines = kSide * R;
  for (uint i = thread_index; i < kLines * kStep; i += kThreads) {
    const uint k = along ? i % kStep : i / kLines;
    const uint line = along ? i / kStep : i % kLines;
    const bool inside = long(line) < lines && long(k) < count;
    tile[k * (kLines + 1) + line] =
        inside ? Sum(source[long(line) * line_stride + long(k) * stride]) : Sum(0);
  }
}

template <typename L, typename T, typename Sum, uint R>
inline void multiply(thread Sum* sums, const device L* left, const device T* right,
                     constant MatmulParams& params, Tile<R> tile, threadgroup Sum* left_tile,
                     threadgroup Sum* right_tile, uint thread_index) {
  constexpr uint kLines = kSide * R;
  const uint x = thread_index % kSide;
  const uint y = thread_index / kSide;
  left += tile.batch * params.left_strides[0] + tile.row * params.left_strides[1];
  right += tile.batch * params.right_strides[0] + tile.column * params.right_strides[2];
  for (uint i = 0; i < R * R; ++i) {
    sums[i] = Sum(0);
  }
  for (long first = 0; first < params.inner; first += kStep) {
    const long count = params.inner - first;
    load<L, Sum, R>(left_tile, left + first * params.left_strides[2], params.left_strides[1],
                    params.left_strides[2], params.left_by_rows != 0, params.rows - tile.row, count,
                    thread_index);
    load<T, Sum, R>(right_tile, right + first * params.right_strides[1], params.right_strides[2],
                    params.right_strides[1], params.right_by_rows == 0,
                    params.columns - tile.column, count, thread_index);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint k = 0; k < kStep; ++k) {
      Sum factors[R];
      for (uint j = 0; j < R; ++j) {
        factors[j] = right_tile[k * (kLines + 1) + j * kSide + x];
      }
      for (uint i = 0; i < R; ++i) {
        const Sum factor = left_tile[k * (kLines + 1) + i * kSide + y];
        for (uint j = 0; j < R; ++j) {
          sums[i * R + j] += factor * factors[j];
        }
      }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

// Sum is unsigned for integers, so that overflow wraps around.
template <typename L, typename T, typename Sum, typename Out, uint R>
[[kernel]] void matmul(device Out* out [[buffer(0)]], const device L* left [[buffer(1)]],
                       const device T* right [[buffer(2)]],
                       constant MatmulParams& params [[buffer(3)]],
                       uint2 group [[threadgroup_position_in_grid]],
                       uint2 groups [[threadgroups_per_grid]],
                       uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup Sum left_tile[kStep * (kSide * R + 1)];
  threadgroup Sum right_tile[kStep * (kSide * R + 1)];
  const Tile<R> tile(linear_index(group, groups), params);
  if (tile.batch >= params.batch) {
    return;
  }
  Sum sums[R * R];
  multiply<L, T, Sum, R>(sums, left, right, params, tile, left_tile, right_tile, thread_index);
  for (uint i = 0; i < R; ++i) {
    const long row = tile.row + i * kSide + thread_index / kSide;
    for (uint j = 0; j < R; ++j) {
      const long column = tile.column + j * kSide + thread_index % kSide;
      if (row < params.rows && column < params.columns) {
        out[tile.batch * params.out_strides[0] + row * params.out_strides[1] +
            column * params.out_strides[2]] = Out(sums[i * R + j]);
      }
    }
  }
}

template <typename T, typename Added, uint R>
[[kernel]] void addmm(device float* out [[buffer(0)]], const device T* left [[buffer(1)]],
                      const device T* right [[buffer(2)]], const device Added* added [[buffer(3)]],
                      constant MatmulParams& params [[buffer(4)]],
                      uint2 group [[threadgroup_position_in_grid]],
                      uint2 groups [[threadgroups_per_grid]],
                      uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float left_tile[kStep * (kSide * R + 1)];
  threadgroup float right_tile[kStep * (kSide * R + 1)];
  const Tile<R> tile(linear_index(group, groups), params);
  if (tile.batch >= params.batch) {
    return;
  }
  float sums[R * R];
  multiply<T, T, float, R>(sums, left, right, params, tile, left_tile, right_tile, thread_index);
  for (uint i = 0; i < R; ++i) {
    const long row = tile.row + i * kSide + thread_index / kSide;
    for (uint j = 0; j < R; ++j) {
      const long column = tile.column + j * kSide + thread_index % kSide;
      if (row < params.rows && column < params.columns) {
        // With beta = 0 what is added does not count, even where it is NaN.
        const float rest =
            params.beta == 0.0f
                ? 0.0f
                : params.beta *
                      float(
                          added[tile.batch * params.added_strides[0] +
                                row * params.added_strides[1] + column * params.added_strides[2]]);
        out[tile.batch * params.out_strides[0] + row * params.out_strides[1] +
            column * params.out_strides[2]] = params.alpha * sums[i * R + j] + rest;
      }
    }
  }
}

#define MATMUL_ROWS(size, R)                                                             \
  INSTANTIATE("matmul" size "_int8", matmul, char, char, uint, int, R)                   \
  INSTANTIATE("matmul" size "_uint8", matmul, uchar, char, uint, int, R)                 \
  INSTANTIATE("matmul" size "_float16", matmul, half, half, float, float, R)             \
  INSTANTIATE("addmm" size "_float16_float16", addmm, half, half, R)                     \
  INSTANTIATE("addmm" size "_float16_float32", addmm, half, float, R)                    \
  INSTANTIATE_BFLOAT("matmul" size "_bfloat16", matmul, bfloat, bfloat, float, float, R) \
  INSTANTIATE_BFLOAT("addmm" size "_bfloat16_bfloat16", addmm, bfloat, bfloat, R)        \
  INSTANTIATE_BFLOAT("addmm" size "_bfloat16_float32", addmm, bfloat, float, R)

MATMUL_ROWS("", 4)
MATMUL_ROWS("_small", 1)
