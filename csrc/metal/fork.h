// Metal does not survive fork(): its locks and its connections to system services stay the
// parent's.
#pragma once

namespace mpsops::metal {

// Before each use of Metal. Throws in a process forked from one that had used it.
void check_fork();

}  // namespace mpsops::metal
