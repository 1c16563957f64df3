# MPSOPS_TORCHES: the minor releases of torch that this build is for, and for each an interface target
# mpsops::torch<digits> (mpsops::torch213) with the property MPSOPS_ROOT. ATen's C++ ABI
# changes between minors, so each gets a module of its own.
#
# MPSOPS_TORCH_ROOTS, of the cache or the environment: folders of torch packages, `;` between them. By default
# the torch of the interpreter that builds, which is asked with -E: that ignores PYTHONPATH and so steps out of
# pip's build isolation into the environment of the user.
set(roots "${MPSOPS_TORCH_ROOTS}")
if(NOT roots)
  set(roots "$ENV{MPSOPS_TORCH_ROOTS}")
endif()
if(NOT roots)
  set(probe [[
import importlib.util, os
spec = importlib.util.find_spec("torch")
if spec is None:
    raise SystemExit("No module named torch")
print(os.path.dirname(spec.origin))
]])
  execute_process(
    COMMAND ${Python_EXECUTABLE} -E -c "${probe}"
    OUTPUT_VARIABLE roots
    ERROR_VARIABLE probe_error
    RESULT_VARIABLE probe_result
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT probe_result EQUAL 0)
    message(FATAL_ERROR
      "mpsops is built against the torch that you already have, and ${Python_EXECUTABLE} has none.\n"
      "Install one first (on Linux: pip install torch==2.13.0), then run the same command again.\n"
      "${probe_error}")
  endif()
endif()

set(MPSOPS_TORCHES)
foreach(root IN LISTS roots)
  if(NOT EXISTS ${root}/version.py OR NOT EXISTS ${root}/include/ATen/ATen.h)
    message(FATAL_ERROR "MPSOPS_TORCH_ROOTS must name folders of torch packages, got ${root}")
  endif()
  file(STRINGS ${root}/version.py version REGEX "^__version__ = ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+[^']*" version "${version}")
  string(REGEX MATCH "^[0-9]+\\.[0-9]+" minor "${version}")
  string(REPLACE "." "" digits "${minor}")
  if(TARGET mpsops_torch${digits})
    message(FATAL_ERROR "MPSOPS_TORCH_ROOTS must have one torch of each minor release, got ${minor} twice")
  endif()
  message(STATUS "torch ${version} at ${root}")

  set(target mpsops_torch${digits})
  add_library(${target} INTERFACE)
  add_library(mpsops::torch${digits} ALIAS ${target})
  set_target_properties(${target} PROPERTIES MPSOPS_ROOT ${root})
  target_include_directories(${target} SYSTEM INTERFACE
    ${root}/include ${root}/include/torch/csrc/api/include)
  target_compile_definitions(${target} INTERFACE MPSOPS_TORCH_VERSION="${version}")
  target_link_directories(${target} INTERFACE ${root}/lib)
  target_link_libraries(${target} INTERFACE c10 torch_cpu torch_python)
  list(APPEND MPSOPS_TORCHES ${digits})
  string(APPEND MPSOPS_TORCH_VERSIONS "    \"${minor}\": \"${version}\",\n")
endforeach()
