// What torch's MPS headers name of this framework; mpsops itself uses nothing of it.
#pragma once

#include <Metal/Metal.h>

@class MPSCommandBuffer;
