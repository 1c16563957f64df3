// Arguments of dispatches and draws that the GPU reads from a buffer, which kernels fill: Metal's
// own structs, which the host knows by the same names.
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

struct MTLDispatchThreadgroupsIndirectArguments {
  uint32_t threadgroupsPerGrid[3];
};
struct MTLDispatchThreadsIndirectArguments {
  uint32_t threadsPerGrid[3];
  uint32_t threadsPerThreadgroup[3];
};
struct MTLStageInRegionIndirectArguments {
  uint32_t stageInOrigin[3];
  uint32_t stageInSize[3];
};
struct MTLDrawPrimitivesIndirectArguments {
  uint32_t vertexCount;
  uint32_t instanceCount;
  uint32_t vertexStart;
  uint32_t baseInstance;
};
struct MTLDrawIndexedPrimitivesIndirectArguments {
  uint32_t indexCount;
  uint32_t instanceCount;
  uint32_t indexStart;
  int32_t baseVertex;
  uint32_t baseInstance;
};
struct MTLDrawPatchIndirectArguments {
  uint32_t patchCount;
  uint32_t instanceCount;
  uint32_t patchStart;
  uint32_t baseInstance;
};
