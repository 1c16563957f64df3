# arm64 macOS from Linux: clang and linker of the package `ziglang`, headers of apple-stubs/, and .tbd files of
# Apple's libraries. cross_build.py sets MPSOPS_ZIG and MPSOPS_SYSTEM_LIBRARIES, where those are.
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MPSOPS_ZIG MPSOPS_SYSTEM_LIBRARIES)

set(CMAKE_CXX_COMPILER ${MPSOPS_ZIG} c++ -target aarch64-macos.14.0)
set(CMAKE_OBJCXX_COMPILER ${CMAKE_CXX_COMPILER})
set(stubs ${CMAKE_CURRENT_LIST_DIR}/apple-stubs)
# As Apple's SDK has libc++: what macOS 14 lacks does not compile, and what is exported is marked.
set(libcxx "-U_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS -D_LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS=1")
string(APPEND libcxx " -U_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS -U_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS")
foreach(language CXX OBJCXX)
  # zig switches sanitizers and debug information on; Apple's clang does not.
  set(CMAKE_${language}_FLAGS_INIT "-g0 -fno-sanitize=all -iframework ${stubs} ${libcxx}")
endforeach()

# Its own libc++ would come along, and its linker knows no -bundle: Python loads a dylib as well.
set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_DIR}/link_rules.cmake)
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_NAME_TOOL /bin/false)  # CMake wants one; with the line above it has nothing to change
