// What torch's MPS headers name of this framework; mpsops itself uses nothing of it.
#pragma once

#include <MetalPerformanceShaders/MetalPerformanceShaders.h>

@class MPSGraph;
@class MPSGraphCompilationDescriptor;
@class MPSGraphExecutionDescriptor;
