// Events of the one stream, by id as torch.mps.Event holds them.
#pragma once

#include <cstdint>

namespace mpsops::sim {

uint32_t acquire_event(bool timing);
void release_event(uint32_t id) noexcept;
void record_event(uint32_t id);
bool query_event(uint32_t id);
double elapsed_milliseconds(uint32_t start, uint32_t end);

}  // namespace mpsops::sim
