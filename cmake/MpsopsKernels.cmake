# What becomes of metal/*.metal and of torch's table of native MPS ops.
set(MPSOPS_METAL_DIR ${CMAKE_CURRENT_SOURCE_DIR}/metal)
file(GLOB MPSOPS_METAL_SOURCES CONFIGURE_DEPENDS ${MPSOPS_METAL_DIR}/*.metal)
file(GLOB_RECURSE MPSOPS_METAL_HEADERS CONFIGURE_DEPENDS ${MPSOPS_METAL_DIR}/*.h)

# macOS: the flattened text of every family goes into the module.
function(mpsops_embed_kernels target)
endfunction()

# Linux: every family becomes mpsops/kernels/<family>.so, compiled by clang.
function(mpsops_compile_kernels target)
endfunction()

# Linux: which ops stock torch has on MPS, from torch's own native_functions.yaml.
function(mpsops_stock_ops target)
  cmake_path(GET MPSOPS_TORCH_ROOT PARENT_PATH site)
  set(table ${site}/torchgen/packaged/ATen/native/native_functions.yaml)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/cmake/stock_ops.py)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/stock_ops.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${Python_EXECUTABLE} ${script} ${table} ${output}
    DEPENDS ${script} ${table}
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
