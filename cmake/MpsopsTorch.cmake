# mpsops::torch: the torch of the interpreter that builds. The interpreter is asked with -E, which
# ignores PYTHONPATH and so steps out of pip's build isolation into the environment of the user.
set(probe [[
import json, os, torch
root = os.path.dirname(torch.__file__)
print(json.dumps(dict(root=root, version=torch.__version__, abi=int(torch._C._GLIBCXX_USE_CXX11_ABI))))
]])
if(NOT MPSOPS_TORCH_INFO)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -E -c "${probe}"
    OUTPUT_VARIABLE MPSOPS_TORCH_INFO
    ERROR_VARIABLE probe_error
    RESULT_VARIABLE probe_result
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT probe_result EQUAL 0)
    message(FATAL_ERROR
      "mpsops is built against the torch that you already have, and ${Python_EXECUTABLE} has none that imports.\n"
      "Install one first (on Linux: pip install torch==2.13.0), then run the same command again.\n"
      "${probe_error}")
  endif()
endif()
string(JSON MPSOPS_TORCH_ROOT GET "${MPSOPS_TORCH_INFO}" root)
string(JSON MPSOPS_TORCH_VERSION GET "${MPSOPS_TORCH_INFO}" version)
string(JSON torch_abi GET "${MPSOPS_TORCH_INFO}" abi)
message(STATUS "torch ${MPSOPS_TORCH_VERSION} at ${MPSOPS_TORCH_ROOT}")

add_library(mpsops_torch INTERFACE)
add_library(mpsops::torch ALIAS mpsops_torch)
target_include_directories(mpsops_torch SYSTEM INTERFACE
  ${MPSOPS_TORCH_ROOT}/include ${MPSOPS_TORCH_ROOT}/include/torch/csrc/api/include)
target_compile_definitions(mpsops_torch INTERFACE
  _GLIBCXX_USE_CXX11_ABI=${torch_abi} MPSOPS_TORCH_VERSION="${MPSOPS_TORCH_VERSION}")
target_link_directories(mpsops_torch INTERFACE ${MPSOPS_TORCH_ROOT}/lib)
target_link_libraries(mpsops_torch INTERFACE c10 torch_cpu torch_python)
