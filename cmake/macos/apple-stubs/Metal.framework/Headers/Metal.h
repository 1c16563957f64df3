// What mpsops uses of Metal, declared after Apple's documentation so that csrc/metal compiles on
// Linux. Never on the include path of a build on a Mac, which has the real headers.
#pragma once

#include <Availability.h>
#include <Foundation/Foundation.h>

#define MPSOPS_SINCE(version) __attribute__((availability(macos, introduced = version)))

NS_ASSUME_NONNULL_BEGIN

typedef struct {
  NSUInteger width, height, depth;
} MTLSize;

static inline MTLSize MTLSizeMake(NSUInteger width, NSUInteger height, NSUInteger depth) {
  MTLSize size;
  size.width = width;
  size.height = height;
  size.depth = depth;
  return size;
}

typedef NS_ENUM(NSUInteger, MTLLanguageVersion) {
  MTLLanguageVersion3_1 MPSOPS_SINCE(14.0) = (3 << 16) + 1,
};

typedef NS_ENUM(NSInteger, MTLMathMode) {
  MTLMathModeSafe = 0,
  MTLMathModeRelaxed = 1,
  MTLMathModeFast = 2,
} MPSOPS_SINCE(15.0);

typedef NS_ENUM(NSInteger, MTLMathFloatingPointFunctions) {
  MTLMathFloatingPointFunctionsFast = 0,
  MTLMathFloatingPointFunctionsPrecise = 1,
} MPSOPS_SINCE(15.0);

@interface MTLCompileOptions : NSObject <NSCopying>
@property(nullable, readwrite, nonatomic, copy)
    NSDictionary<NSString*, NSObject*>* preprocessorMacros;
@property(readwrite, nonatomic) BOOL fastMathEnabled
    __attribute__((availability(macos, introduced=10.11, deprecated=15.0)));
@property(readwrite, nonatomic) MTLMathMode mathMode MPSOPS_SINCE(15.0);
@property(readwrite, nonatomic)
    MTLMathFloatingPointFunctions mathFloatingPointFunctions MPSOPS_SINCE(15.0);
@property(readwrite, nonatomic) MTLLanguageVersion languageVersion;
@end

extern NSErrorDomain const MTLLibraryErrorDomain;

typedef NS_ENUM(NSUInteger, MTLLibraryError) {
  MTLLibraryErrorCompileFailure = 3,
};

@protocol MTLResource <NSObject>
@end

@protocol MTLBuffer <MTLResource>
@end

@protocol MTLFunction <NSObject>
@end

@protocol MTLLibrary <NSObject>
@property(readonly) NSArray<NSString*>* functionNames;
- (nullable id<MTLFunction>)newFunctionWithName:(NSString*)functionName;
@end

@protocol MTLComputePipelineState <NSObject>
@property(readonly) NSUInteger maxTotalThreadsPerThreadgroup;
@property(readonly) NSUInteger staticThreadgroupMemoryLength;
@end

@protocol MTLCommandEncoder <NSObject>
@end

@protocol MTLComputeCommandEncoder <MTLCommandEncoder>
- (void)setComputePipelineState:(id<MTLComputePipelineState>)state;
- (void)setBytes:(const void*)bytes length:(NSUInteger)length atIndex:(NSUInteger)index;
- (void)setBuffer:(nullable id<MTLBuffer>)buffer
           offset:(NSUInteger)offset
          atIndex:(NSUInteger)index;
- (void)setThreadgroupMemoryLength:(NSUInteger)length atIndex:(NSUInteger)index;
- (void)dispatchThreadgroups:(MTLSize)threadgroupsPerGrid
       threadsPerThreadgroup:(MTLSize)threadsPerThreadgroup;
- (void)dispatchThreads:(MTLSize)threadsPerGrid
    threadsPerThreadgroup:(MTLSize)threadsPerThreadgroup;
@end

@protocol MTLDevice <NSObject>
- (nullable id<MTLLibrary>)newLibraryWithData:(dispatch_data_t)data error:(NSError**)error;
- (nullable id<MTLLibrary>)newLibraryWithSource:(NSString*)source
                                        options:(nullable MTLCompileOptions*)options
                                          error:(NSError**)error;
- (nullable id<MTLComputePipelineState>)newComputePipelineStateWithFunction:
                                            (id<MTLFunction>)computeFunction
                                                                      error:(NSError**)error;
@end

// Named, but not used, by torch's MPS headers.
@protocol MTLCommandBuffer;
@protocol MTLCommandQueue;
@protocol MTLSharedEvent;
typedef void (^MTLCommandBufferHandler)(id<MTLCommandBuffer>);

NS_ASSUME_NONNULL_END

#undef MPSOPS_SINCE
