# Read after CMake's own rules for Darwin, which toolchain.cmake comes before.
foreach(language CXX OBJCXX)
  set(CMAKE_SHARED_MODULE_CREATE_${language}_FLAGS
    "-dynamiclib -s -nostdlib++ -F${MPSOPS_SYSTEM_LIBRARIES} -L${MPSOPS_SYSTEM_LIBRARIES}")
  # Apple's Foundation brings CoreFoundation along.
  set(CMAKE_${language}_STANDARD_LIBRARIES_INIT "-lc++.1 -lobjc.A -framework CoreFoundation")
endforeach()
