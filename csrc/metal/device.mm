// Metal's compiler on torch's device.
#import <Metal/Metal.h>

#include <ATen/mps/MPSDevice.h>

#include "csrc/metal/compiler.h"

namespace mpsops::metal {

namespace {

id<MTLDevice> device() { return at::mps::MPSDevice::getInstance()->device(); }

Handle retained(id object) { return (__bridge_retained void*)object; }

NSString* to_ns(const std::string& text) {
  return [[NSString alloc] initWithBytes:text.data()
                                  length:text.size()
                                encoding:NSUTF8StringEncoding];
}

std::string describe(NSError* error) {
  const char* text = error.localizedDescription.UTF8String;
  return text != nullptr ? text : "";
}

bool is_in_source(NSError* error) {
  return [error.domain isEqualToString:MTLLibraryErrorDomain] &&
         error.code == MTLLibraryErrorCompileFailure;
}

// IEEE behaviour of NaN, infinities and -0.0, and the accurate math functions.
MTLCompileOptions* compile_options(bool bfloat) {
  MTLCompileOptions* options = [[MTLCompileOptions alloc] init];
  options.languageVersion = MTLLanguageVersion3_1;
  if (!bfloat) {
    options.preprocessorMacros = @{@"MPSOPS_NO_BFLOAT" : @"1"};
  }
#if __MAC_OS_X_VERSION_MAX_ALLOWED >= 150000
  if (@available(macOS 15.0, *)) {
    options.mathMode = MTLMathModeSafe;
    options.mathFloatingPointFunctions = MTLMathFloatingPointFunctionsPrecise;
    return options;
  }
#endif
#if __MAC_OS_X_VERSION_MIN_REQUIRED < 150000  // deprecated since, and a warning is an error
  options.fastMathEnabled = NO;
#endif
  return options;
}

class DeviceCompiler final : public Compiler {
 public:
  bool has_device() override { return device() != nil; }

  Compiled compile(const std::string& source, bool bfloat) override {
    @autoreleasepool {
      NSError* error = nil;
      id<MTLLibrary> library = [device() newLibraryWithSource:to_ns(source)
                                                      options:compile_options(bfloat)
                                                        error:&error];
      return {retained(library), describe(error), is_in_source(error)};
    }
  }

  Handle load(std::span<const unsigned char> metallib) override {
    @autoreleasepool {
      dispatch_data_t data = dispatch_data_create(metallib.data(), metallib.size(), nullptr,
                                                  DISPATCH_DATA_DESTRUCTOR_DEFAULT);
      NSError* error = nil;
      return retained([device() newLibraryWithData:data error:&error]);
    }
  }

  std::vector<std::string> kernel_names(Handle library) override {
    @autoreleasepool {
      std::vector<std::string> names;
      for (NSString* name in ((__bridge id<MTLLibrary>)library).functionNames) {
        names.emplace_back(name.UTF8String);
      }
      return names;
    }
  }

  std::optional<Made> make_pipeline(Handle library, const std::string& name) override {
    @autoreleasepool {
      id<MTLFunction> function = [(__bridge id<MTLLibrary>)library newFunctionWithName:to_ns(name)];
      if (function == nil) {
        return std::nullopt;
      }
      NSError* error = nil;
      id<MTLComputePipelineState> state = [device() newComputePipelineStateWithFunction:function
                                                                                  error:&error];
      return Made{retained(state), static_cast<uint32_t>(state.maxTotalThreadsPerThreadgroup),
                  static_cast<uint32_t>(state.staticThreadgroupMemoryLength), describe(error)};
    }
  }
};

}  // namespace

Compiler& compiler() {
  static DeviceCompiler instance;
  return instance;
}

}  // namespace mpsops::metal
