#include "csrc/sim/device/signposts.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <sstream>

namespace mpsops::sim {

namespace {

std::atomic<bool> started = false;

}  // namespace

void start_signposts(const std::string& mode) {
  TORCH_CHECK(!started, "Tracing Signposts is already enabled ");
  std::istringstream words(mode);
  for (std::string word; std::getline(words, word, ',');) {
    TORCH_CHECK(word.empty() || word == "interval" || word == "event",
                "Invalid Signpost trace mode: ", word);
    started = started || !word.empty();
  }
}

void stop_signposts() {
  started = false;
}

}  // namespace mpsops::sim
