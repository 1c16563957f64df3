// What the host tells the kernels of metal/ctc_loss.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// One item of the batch. The device gets an array of them, or a tensor [items, 3].
struct CtcItem {
  int64_t input_length;
  int64_t target_length;
  int64_t target_offset;  // of its first label among concatenated targets
};

// Strides are in elements.
struct CtcParams {
  int64_t inputs;  // time steps
  int64_t batch;
  int64_t labels;   // with the blank
  int64_t columns;  // of the tables: at least 2 * target_length + 1
  int64_t blank;
  int64_t log_prob_stride[3];  // by time, item, label
  int64_t target_stride[2];    // by item (0 where targets are concatenated), label
  int64_t target_size;         // of a row of targets
  int64_t grad_stride;         // of grad_output
  int64_t first_item;          // of this dispatch
  int64_t items;               // of this dispatch
  uint32_t zero_infinity;
};
