// Errors of ours reach Python without torch's C++ stack in their text.
#pragma once

#include <c10/util/Exception.h>

#include <stdexcept>

namespace mpsops::sim {

template <class Function>
auto plain_errors(const Function& function) {
  try {
    return function();
  } catch (const c10::Error& error) {
    throw std::runtime_error(error.what_without_backtrace());
  }
}

}  // namespace mpsops::sim
