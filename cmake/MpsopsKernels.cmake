# What becomes of metal/*.metal and of torch's table of native MPS ops.
set(MPSOPS_METAL_DIR ${CMAKE_CURRENT_SOURCE_DIR}/metal)
file(GLOB MPSOPS_METAL_SOURCES CONFIGURE_DEPENDS ${MPSOPS_METAL_DIR}/*.metal)
file(GLOB_RECURSE MPSOPS_METAL_HEADERS CONFIGURE_DEPENDS ${MPSOPS_METAL_DIR}/*.h)

# The flattened text of every family goes into the module; on macOS its .metallib too, where Apple's offline
# compiler works (it comes with Xcode; the command line tools alone lack it).
function(mpsops_embed_kernels target torch)
  get_target_property(torch_root ${torch} MPSOPS_ROOT)
  set(flatten ${CMAKE_CURRENT_SOURCE_DIR}/python/mpsops/msl/flatten.py)
  set(embed ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_kernels.py)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/kernels/${torch})
  set(metal xcrun -sdk macosx metal -std=metal3.1 -fno-fast-math -mmacosx-version-min=14.0)
  if(NOT APPLE)
    set(MPSOPS_METAL_COMPILER OFF)
  elseif(NOT DEFINED MPSOPS_METAL_COMPILER)
    file(WRITE ${folder}/probe.metal "kernel void probe(device bfloat* x) { x[0] = bfloat(1.0f); }\n")
    execute_process(
      COMMAND ${metal} -o ${folder}/probe.metallib ${folder}/probe.metal
      RESULT_VARIABLE probe_result OUTPUT_QUIET ERROR_QUIET)
    if(probe_result EQUAL 0)
      set(found ON)
    else()
      set(found OFF)
    endif()
    set(MPSOPS_METAL_COMPILER ${found} CACHE BOOL "Compile kernels at build time with xcrun metal")
  endif()
  if(APPLE)
    message(STATUS "Kernels compiled at build time: ${MPSOPS_METAL_COMPILER}")
  endif()

  foreach(source IN LISTS MPSOPS_METAL_SOURCES)
    cmake_path(GET source STEM family)
    set(text ${folder}/${family}.metal)
    set(generated ${folder}/${family}.cpp)
    set(metallib)
    set(metallib_option)
    add_custom_command(
      OUTPUT ${text}
      COMMAND ${Python_EXECUTABLE} ${flatten} ${source} -o ${text} --depfile ${folder}/${family}.d
        -I ${CMAKE_CURRENT_SOURCE_DIR} -I ${torch_root}/include
      DEPENDS ${source} ${flatten}
      DEPFILE ${folder}/${family}.d
      COMMENT "Flattening ${family}.metal"
      VERBATIM)
    if(MPSOPS_METAL_COMPILER)
      set(metallib ${folder}/${family}.metallib)
      set(metallib_option --metallib ${metallib})
      add_custom_command(
        OUTPUT ${metallib}
        COMMAND ${metal} -o ${metallib} ${text}
        DEPENDS ${text}
        COMMENT "Compiling ${family}.metal"
        VERBATIM)
    endif()
    add_custom_command(
      OUTPUT ${generated}
      COMMAND ${Python_EXECUTABLE} ${embed} ${family} ${text} ${metallib_option} -o ${generated}
      DEPENDS ${text} ${metallib} ${embed}
      COMMENT "Embedding ${family}.metal"
      VERBATIM)
    set_source_files_properties(${generated} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    target_sources(${target} PRIVATE ${generated})
  endforeach()
endfunction()

# Linux: every family becomes mpsops/kernels/<family>.so, compiled by clang. They fit one torch.
function(mpsops_compile_kernels target torch)
  if(TARGET mpsops_kernels)
    message(FATAL_ERROR "On Linux, MPSOPS_TORCH_ROOTS must name one torch, got ${MPSOPS_TORCHES}")
  endif()
  get_target_property(torch_root ${torch} MPSOPS_ROOT)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/kernels)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/cmake/compile_kernels.py)
  set(library ${CMAKE_CURRENT_SOURCE_DIR}/csrc/sim/msl)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${library}/*)
  file(GLOB translator CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/mpsops/msl/*.py)
  set(libraries)
  foreach(source IN LISTS MPSOPS_METAL_SOURCES)
    cmake_path(GET source STEM family)
    set(outputs ${folder}/${family}.so ${folder}/${family}.checked.so)
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND ${Python_EXECUTABLE} ${script} ${source} ${folder}
        --torch-include ${torch_root}/include
      DEPENDS ${source} ${MPSOPS_METAL_HEADERS} ${headers} ${translator} ${script}
      COMMENT "Compiling kernels of ${family}"
      VERBATIM)
    list(APPEND libraries ${outputs})
  endforeach()
  add_custom_target(mpsops_kernels DEPENDS ${libraries})
  add_dependencies(${target} mpsops_kernels)
  install(FILES ${libraries} DESTINATION mpsops/kernels)
  install(DIRECTORY ${library}/ DESTINATION mpsops/msl/include)
endfunction()

# Linux: which ops stock torch has on MPS, from torch's own native_functions.yaml.
function(mpsops_stock_ops target torch)
  get_target_property(torch_root ${torch} MPSOPS_ROOT)
  cmake_path(GET torch_root PARENT_PATH site)
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
