#include "csrc/metal/library.h"

#include <ATen/mps/MPSDevice.h>
#include <c10/util/Exception.h>

#include <span>

namespace mpsops::metal {

namespace {

id<MTLDevice> device() {
  id<MTLDevice> device = at::mps::MPSDevice::getInstance()->device();
  TORCH_CHECK(device != nil, "mpsops: this process has no Metal device");
  return device;
}

NSString* to_ns(std::string_view text) {
  return [[NSString alloc] initWithBytes:text.data()
                                  length:text.size()
                                encoding:NSUTF8StringEncoding];
}

std::string describe(NSError* error) {
  const char* text = error.localizedDescription.UTF8String;
  return text != nullptr ? text : "no reason given by Metal";
}

// IEEE behaviour of NaN, infinities and -0.0, and the accurate math functions.
MTLCompileOptions* compile_options() {
  MTLCompileOptions* options = [[MTLCompileOptions alloc] init];
  options.languageVersion = MTLLanguageVersion3_1;
#if __MAC_OS_X_VERSION_MAX_ALLOWED >= 150000
  if (@available(macOS 15.0, *)) {
    options.mathMode = MTLMathModeSafe;
    options.mathFloatingPointFunctions = MTLMathFloatingPointFunctionsPrecise;
    return options;
  }
#endif
  options.fastMathEnabled = NO;
  return options;
}

// nil, with the compiler's text in `diagnostics`, if the source does not compile.
id<MTLLibrary> compile(NSString* source, bool bfloat, std::string& diagnostics) {
  MTLCompileOptions* options = compile_options();
  if (!bfloat) {
    options.preprocessorMacros = @{@"MPSOPS_NO_BFLOAT" : @"1"};
  }
  NSError* error = nil;
  id<MTLLibrary> library = [device() newLibraryWithSource:source options:options error:&error];
  if (library == nil) {
    diagnostics = describe(error);
  }
  return library;
}

// nil if this system refuses the .metallib; the source is there as well.
id<MTLLibrary> load(std::span<const unsigned char> metallib) {
  dispatch_data_t data = dispatch_data_create(metallib.data(), metallib.size(), nullptr,
                                              DISPATCH_DATA_DESTRUCTOR_DEFAULT);
  NSError* error = nil;
  return [device() newLibraryWithData:data error:&error];
}

}  // namespace

Family& Family::find(std::string_view name) {
  static const auto* families = [] {
    auto* map = new std::unordered_map<std::string_view, std::unique_ptr<Family>>();
    for (const Embedded* embedded : embedded_families()) {
      map->emplace(embedded->name, std::make_unique<Family>(*embedded));
    }
    return map;
  }();
  const auto found = families->find(name);
  TORCH_CHECK(found != families->end(), "mpsops: kernel family must be one of metal/*.metal, got ",
              name);
  return *found->second;
}

id<MTLLibrary> Family::library() {
  if (library_ != nil) {
    return library_;
  }
  if (!embedded_.metallib.empty() && (library_ = load(embedded_.metallib)) != nil) {
    return library_;
  }
  std::string text;
  for (const auto piece : embedded_.source) {
    text += piece;
  }
  NSString* source = to_ns(text);
  std::string diagnostics;
  if ((library_ = compile(source, true, diagnostics)) != nil) {
    return library_;
  }
  // A GPU or compiler without bfloat must not lose the other dtypes.
  std::string diagnostics_without;
  library_ = compile(source, false, diagnostics_without);
  TORCH_CHECK(library_ != nil, "mpsops: metal/", embedded_.name, ".metal does not compile:\n",
              diagnostics);
  no_bfloat_ = diagnostics;
  return library_;
}

std::unique_ptr<Pipeline> Family::make_pipeline(const std::string& name) {
  id<MTLLibrary> library = this->library();
  id<MTLFunction> function = [library newFunctionWithName:to_ns(name)];
  if (function == nil && !no_bfloat_.empty() && name.find("bfloat16") != std::string::npos) {
    TORCH_CHECK(false, "mpsops: kernel ", name, " is not available: metal/", embedded_.name,
                ".metal compiles on this system only without bfloat16:\n", no_bfloat_);
  }
  TORCH_CHECK(function != nil, "mpsops: metal/", embedded_.name, ".metal has no kernel ", name);
  NSError* error = nil;
  id<MTLComputePipelineState> state = [device() newComputePipelineStateWithFunction:function
                                                                              error:&error];
  TORCH_CHECK(state != nil, "mpsops: kernel ", name, " of metal/", embedded_.name,
              ".metal cannot run on this GPU: ", describe(error));
  return std::make_unique<Pipeline>(name, state, no_bfloat_.empty());
}

const Pipeline& Family::pipeline(const std::string& name) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = pipelines_.find(name);
    if (found != pipelines_.end()) {
      return *found->second;
    }
  }
  @autoreleasepool {
    const std::unique_lock lock(mutex_);
    auto found = pipelines_.find(name);
    if (found == pipelines_.end()) {
      found = pipelines_.emplace(name, make_pipeline(name)).first;
    }
    return *found->second;
  }
}

std::vector<std::string> Family::kernel_names() {
  @autoreleasepool {
    const std::unique_lock lock(mutex_);
    std::vector<std::string> names;
    for (NSString* name in library().functionNames) {
      names.emplace_back(name.UTF8String);
    }
    return names;
  }
}

}  // namespace mpsops::metal

namespace mpsops {

const Kernel& get_kernel(std::string_view family, const std::string& name) {
  return metal::Family::find(family).pipeline(name);
}

}  // namespace mpsops
