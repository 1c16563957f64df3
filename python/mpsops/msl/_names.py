"""What names mean that a kernel source may use: since which version of Metal, or that they are not Metal's.

From the Metal Shading Language Specification 4.0, which says of everything since when it is there, for macOS
where systems differ; what it says nothing about is as old as Metal.
"""

from __future__ import annotations

import re

# Those that can be asked for, with __METAL_VERSION__ and the macOS that brought them.
VERSIONS = {
    "2.3": (230, "11"),
    "2.4": (240, "12"),
    "3.0": (300, "13"),
    "3.1": (310, "14"),
    "3.2": (320, "15"),
    "4.0": (400, "26"),
}

# Patterns of whole names, by the version that brought them.
_SINCE = {
    "2.4": [
        r"(?:simd|quad)_shuffle_and_fill_(?:up|down)",
        r"atomic_(?:min|max)_explicit|atomic_ulong",
        "stitchable",
    ],
    "3.0": ["atomic_float", "object_data", "max_total_threadgroups_per_mesh_grid"],
    "3.1": [
        r"bfloat[234]?|packed_bfloat[234]|bfloat[234]x[234]|simdgroup_bfloat8x8",
        r"M_\w+_BF|MAXBFLOAT|HUGE_VALBF",
        "nextafter",
    ],
    "3.2": [
        "atomic_thread_fence|memory_order_seq_cst",
        r"thread_scope(?:_\w+)?",
        r"coherent(?= \(| device)|memory_coherence|memory_coherence_(?:device|threadgroup)",
        "os_log|os_log_default|metal_logging",
    ],
    "4.0": [
        "(?:un)?pack_(?:float_to_|half_to_)?snorm10a2(?:_to_(?:float|half))?",
        "user_annotation",
        "tensor(?= <)|tensor_(?:handle|inline|offset)|cooperative_tensor|dextents",
        "metal_tensor|metal_cooperative_tensor|MetalPerformancePrimitives",
    ],
}
_SINCE_PATTERNS = {
    version: re.compile(rf"(?:{'|'.join(names)})(?: |\Z)") for version, names in _SINCE.items()
}

# Of functions, their parameters, members and variables, for graphics too; those of C++ at the end.
_ATTRIBUTES = """
    kernel vertex fragment visible stitchable intersection object mesh patch host_name hostname
    user_annotation max_total_threads_per_threadgroup required_threads_per_threadgroup
    max_total_threadgroups_per_mesh_grid early_fragment_tests buffer texture sampler threadgroup
    function_constant raster_order_group id function_groups function_group stage_in attribute user position
    point_size clip_distance thread_position_in_grid threadgroup_position_in_grid
    thread_position_in_threadgroup threads_per_threadgroup dispatch_threads_per_threadgroup
    threadgroups_per_grid threads_per_grid thread_index_in_threadgroup thread_index_in_simdgroup
    thread_index_in_quadgroup simdgroup_index_in_threadgroup quadgroup_index_in_threadgroup
    threads_per_simdgroup thread_execution_width simdgroups_per_threadgroup
    dispatch_simdgroups_per_threadgroup quadgroups_per_threadgroup dispatch_quadgroups_per_threadgroup
    grid_origin grid_size thread_index_in_grid vertex_id instance_id base_vertex base_instance patch_id
    position_in_patch amplification_id amplification_count render_target_array_index viewport_array_index
    primitive_id front_facing point_coord sample_id sample_mask barycentric_coord color index depth stencil
    any greater less flat center_perspective center_no_perspective centroid_perspective
    centroid_no_perspective sample_perspective sample_no_perspective invariant shared payload imageblock_data
    alias_implicit_imageblock alias_implicit_imageblock_color pixel_position_in_tile pixels_per_tile
    tile_index accept_intersection continue_search direction distance origin min_distance max_distance
    primitive_culled unroll maybe_unused noreturn nodiscard deprecated fallthrough likely unlikely
    carries_dependency no_unique_address
"""
ATTRIBUTES = frozenset(_ATTRIBUTES.split())

# Of Metal, and not known to the simulator: their absence is no mistake of the source.
OUT_OF_SCOPE = re.compile(
    r"(?:(?:texture|depth)(?:1d|2d|3d|cube|_buffer)\w*|sampler|access|coord|filter|address|imageblock\w*"
    r"|raytracing|instance_acceleration_structure|primitive_acceleration_structure|acceleration_structure"
    r"|intersector|intersection_\w+|ray|visible_function_table|mesh|mesh_grid_properties"
    r"|command_buffer|compute_command|render_command|(?:r|rg|rgba)\d+\w+norm|interpolant"
    r"|vertex|fragment|tensor\w*|cooperative_tensor|dextents|extents|mpp"
    r"|metal_(?:raytracing|texture|tensor|cooperative_tensor|command_buffer|imageblocks|mesh|visible_function_table"
    r"|pixel|interpolate|graphics|simdgroup_event)|MetalPerformancePrimitives/.*)\Z"
)

_MATH = (
    "acos|acosh|asin|asinh|atan|atan2|atanh|ceil|copysign|cos|cosh|exp|exp2|fabs|fdim|floor|fma|fmax|fmin|fmod"
    "|frexp|ilogb|ldexp|log|log10|log2|modf|nextafter|pow|rint|round|sin|sinh|sqrt|tan|tanh|trunc"
)
# Of C, C++, CUDA and OpenCL, with what to use in Metal.
_FOREIGN = [
    (rf"({_MATH})[fl]", r"Metal has \1, and precise::\1 and fast::\1 of most"),
    ("std", "Metal's own names are in namespace metal: metal::exp, metal::numeric_limits"),
    ("isnanf|isinff|signbitf", "Metal has isnan, isinf, signbit"),
    ("rsqrtf", "Metal has rsqrt"),
    ("lgammaf?|tgammaf?|gammaf?", "Metal has no gamma functions; c10/metal/special_math.h has log_gamma"),
    (
        "erff?|erfcf?|erfinvf?",
        "Metal has no error functions; c10/metal/special_math.h has erf, erfc and erfinv",
    ),
    ("expm1f?|log1pf?", "Metal has none; c10/metal/special_math.h has log1p, c10/metal/expm1f.h has expm1f"),
    ("cbrtf?|hypotf?|remainderf?|remquof?|nearbyintf?|lrintf?|lroundf?", "Metal has none: compute it"),
    ("printf|fprintf|puts|cout|cerr", "Metal 3.2 has os_log, Metal before has none: write to a buffer"),
    ("abort|exit|atexit", "Metal has none: write an error code to a buffer"),
    ("malloc|calloc|realloc|free|alloca", "Metal has no heap: pass a buffer"),
    ("memcpy|memmove|memset|memcmp|strlen|strcmp", "Metal has none: write a loop, or assign structs"),
    ("M_PI|M_E|M_LN2|M_LN10|M_LOG2E|M_LOG10E|M_SQRT2|M_SQRT1_2|M_PI_2|M_PI_4|M_1_PI|M_2_PI|M_2_SQRTPI",
     "Metal has constants of each type: M_PI_F, M_PI_H, M_PI_BF"),
    ("DBL_\\w+|LDBL_\\w+", "Metal has no double: FLT_MAX, numeric_limits<float>"),
    ("rand|srand|time|clock", "Metal has none: c10/metal/random.h computes Philox"),
    ("__syncthreads|__syncwarp", "Metal has threadgroup_barrier(mem_flags::mem_threadgroup)"),
    ("threadIdx|blockIdx|blockDim|gridDim|warpSize",
     "Metal has parameters: uint i [[thread_position_in_grid]]"),
    ("__global__", "Metal has kernel void"),
    ("__shared__", "Metal has threadgroup T x[n];"),
    ("__device__|__host__|__forceinline__|__restrict__", "leave it out"),
    ("__shfl\\w*|__ballot\\w*|__any\\w*|__all\\w*", "Metal has simd_shuffle, simd_ballot, simd_any"),
    ("atomic(?:Add|Sub|Exch|Min|Max|CAS|And|Or|Xor|Inc|Dec)", "Metal has atomic_fetch_add_explicit"),
    ("__ldg|__float2half\\w*|__half2float|__popc|__clz|__ffs", "Metal has casts, popcount, clz, ctz"),
    ("get_(?:global|local|group)_(?:id|size)|get_num_groups|get_work_dim",
     "Metal has parameters: uint i [[thread_position_in_grid]]"),
    ("barrier|mem_fence|CLK_\\w+_MEM_FENCE", "Metal has threadgroup_barrier(mem_flags::mem_threadgroup)"),
    ("__kernel|__global|__local|__constant|__private", "Metal has kernel, device, threadgroup, constant"),
    ("convert_\\w+|as_(?:u?(?:char|short|int|long)|half|float)\\d*", "Metal has T(x) and as_type<T>(x)"),
    ("native_\\w+|half_(?:exp|log|sqrt|sin|cos)", "Metal has namespace fast"),
    ("vload\\w+|vstore\\w+", "Metal has packed vectors: packed_float3"),
]  # fmt: skip
_FOREIGN_PATTERNS = [(re.compile(rf"(?:{names})\Z"), advice) for names, advice in _FOREIGN]
# Headers of C and C++, and others that a Mac's Metal does not have.
_FOREIGN_HEADER = re.compile(
    r"(?:c?(?:assert|complex|ctype|errno|fenv|float|inttypes|limits|locale|math|setjmp|signal|stdarg|stddef|stdint|stdio"
    r"|stdlib|string|time|wchar)(?:\.h)?|algorithm|array|atomic|bit|cfenv|chrono|functional|initializer_list|iostream"
    r"|iterator|limits|map|memory|new|numeric|optional|random|string|thread|tuple|type_traits|utility|variant|vector"
    r"|cuda\w*\.h|cuda_runtime\.h)\Z"
)


def since(name: str, following: str = "") -> str:
    """The version of Metal that brought `name`, or "" where every supported one has it."""
    text = f"{name} {following}"
    return next((version for version, names in _SINCE_PATTERNS.items() if names.match(text)), "")


def in_metal_instead(name: str) -> str:
    """What to use in place of a name that is not Metal's; "" of all others."""
    for names, advice in _FOREIGN_PATTERNS:
        if found := names.match(name):
            return found.expand(advice)
    return ""


def is_foreign_header(name: str) -> bool:
    return bool(_FOREIGN_HEADER.match(name))
