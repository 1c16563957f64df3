"""Type traits, limits, constants, arrays and atomics; what is out of scope says so; every name is tested."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
from exec_support import HEADER, compile_kernels, msl

from mpsops.msl import _compiler

# Each holds at compile time.
HOLDS = """
true_type::value && !false_type() && is_same_v<bool_constant<true>, true_type> && integral_constant<int, 7>::value == 7
is_same<conditional<true, int, float>::type, int>::value && is_same_v<conditional_t<false, int, half>, half>
is_same_v<enable_if<true, int>::type, int> && is_same_v<enable_if_t<true>, void>
is_void<void>::value && is_void_v<const void> && !is_void_v<int>
is_integral<long>::value && is_integral_v<uchar> && !is_integral_v<half> && is_integral_v<bool>
is_floating_point<half>::value && is_floating_point_v<bfloat> && !is_floating_point_v<int>
is_arithmetic<float>::value && is_arithmetic_v<char> && !is_arithmetic_v<thread float*>
is_signed<char>::value && is_signed_v<half> && !is_signed_v<uint> && is_unsigned<ushort>::value && is_unsigned_v<ulong>
is_scalar<float>::value && is_scalar_v<uint> && !is_scalar_v<float4>
is_array<int[3]>::value && is_array_v<float[2]> && !is_array_v<int> && rank<int[2][3]>::value == 2 && rank_v<int> == 0
extent<int[2][3], 1>::value == 3 && extent_v<int[4]> == 4 && alignment_of<float3>::value == 16 && alignment_of_v<half> == 2
is_pointer<thread int*>::value && is_pointer_v<device half*> && !is_pointer_v<int>
is_reference<thread int&>::value && is_reference_v<thread int&&> && is_lvalue_reference<thread int&>::value
is_lvalue_reference_v<device int&> && is_rvalue_reference<thread int&&>::value && !is_rvalue_reference_v<thread int&>
is_class<Point>::value && is_class_v<Point> && !is_class_v<int> && is_union<Either>::value && is_union_v<Either>
is_enum<Colour>::value && is_enum_v<Colour> && is_function<void(int)>::value && is_function_v<int()>
is_const<const int>::value && is_const_v<const float> && !is_const_v<int> && is_volatile<volatile int>::value && is_volatile_v<volatile int>
is_trivial<Point>::value && is_trivial_v<float4> && is_pod<Point>::value && is_pod_v<int> && is_literal_type<int>::value && is_literal_type_v<float>
is_trivially_copyable<packed_float3>::value && is_trivially_copyable_v<float4x4> && is_standard_layout<Point>::value && is_standard_layout_v<int>
is_object<int>::value && is_object_v<Point> && !is_object_v<void>
is_fundamental<float>::value && is_fundamental_v<void> && is_compound<Point>::value && is_compound_v<Point>
!is_polymorphic<Point>::value && !is_polymorphic_v<Point> && !is_abstract<Point>::value && !is_abstract_v<Point>
is_final<Last>::value && is_final_v<Last> && !is_final_v<Point>
is_default_constructible<Point>::value && is_default_constructible_v<int> && is_constructible<float, int>::value && is_constructible_v<float4, float>
is_trivially_default_constructible<Point>::value && is_trivially_default_constructible_v<half3>
is_trivially_constructible<Point>::value && is_trivially_constructible_v<int>
is_trivially_destructible<Point>::value && is_trivially_destructible_v<float>
is_assignable<thread int&, int>::value && is_assignable_v<thread float&, int> && !is_assignable_v<int, int>
is_base_of<Nothing, Derived>::value && is_base_of_v<Nothing, Derived> && !is_base_of_v<Derived, Nothing>
is_convertible<int, float>::value && is_convertible_v<float, float4> && !is_convertible_v<float4, int4> && !is_convertible_v<int2, float2>
is_same_v<remove_const<const int>::type, int> && is_same_v<remove_const_t<const int>, int>
is_same_v<remove_volatile<volatile int>::type, int> && is_same_v<remove_volatile_t<volatile int>, int>
is_same_v<remove_cv<const volatile int>::type, int> && is_same_v<remove_cv_t<const int>, int>
is_same_v<remove_reference<thread int&>::type, int> && is_same_v<remove_reference_t<thread int&&>, int>
is_same_v<remove_pointer<thread int*>::type, int> && is_same_v<remove_pointer_t<thread int*>, int>
is_same_v<remove_extent<int[2][3]>::type, int[3]> && is_same_v<remove_extent_t<int[2]>, int>
is_same_v<remove_all_extents<int[2][3]>::type, int> && is_same_v<remove_all_extents_t<int[2][3]>, int>
is_same_v<add_const<int>::type, const int> && is_same_v<add_const_t<int>, const int>
is_same_v<add_volatile<int>::type, volatile int> && is_same_v<add_volatile_t<int>, volatile int>
is_same_v<add_cv<int>::type, const volatile int> && is_same_v<add_cv_t<int>, const volatile int>
is_pointer_v<add_pointer<int>::type> && is_pointer_v<add_pointer_t<half>>
is_lvalue_reference_v<add_lvalue_reference<int>::type> && is_lvalue_reference_v<add_lvalue_reference_t<int>>
is_rvalue_reference_v<add_rvalue_reference<int>::type> && is_rvalue_reference_v<add_rvalue_reference_t<int>>
is_same_v<decay<const int>::type, int> && is_pointer_v<decay_t<int[3]>>
is_same_v<underlying_type<Colour>::type, uint> && is_same_v<underlying_type_t<Colour>, uint>
is_same_v<make_signed<uint>::type, int> && is_same_v<make_signed_t<ulong>, long> && is_same_v<make_unsigned<char>::type, uchar> && is_same_v<make_unsigned_t<short>, ushort>
is_same_v<common_type<int, float>::type, float> && is_same_v<common_type_t<half, float, int>, float> && is_same_v<common_type_t<float, float4>, float4>
is_same_v<decltype(declval<float>()), float&&> && is_same_v<index_sequence<0, 1>, make_index_sequence<2>>
is_same_v<integer_sequence<int, 0, 1>, make_integer_sequence<int, 2>> && make_index_sequence<3>::size() == 3
is_same_v<metal::size_t, ulong> && is_same_v<metal::ptrdiff_t, long> && is_same_v<metal::int16_t, short> && is_same_v<metal::uint8_t, uchar>
is_same_v<metal::int8_t, signed char> && is_same_v<metal::int32_t, int> && is_same_v<metal::int64_t, long> && is_same_v<metal::uint16_t, ushort>
is_same_v<metal::uint32_t, uint> && is_same_v<metal::uint64_t, ulong> && sizeof(metal::half) == 2 && sizeof(metal::bfloat) == 2
is_same_v<metal::atomic_bool, atomic<bool>> && is_same_v<atomic_ulong, atomic<ulong>> && sizeof(atomic_float) == 4 && sizeof(atomic_bool) == 4
numeric_limits<int>::max() == INT_MAX && numeric_limits<int>::min() == INT_MIN && numeric_limits<uint>::max() == UINT_MAX
numeric_limits<char>::max() == CHAR_MAX && numeric_limits<char>::min() == CHAR_MIN && numeric_limits<uchar>::max() == UCHAR_MAX && SCHAR_MAX == 127 && SCHAR_MIN == -128 && CHAR_BIT == 8
numeric_limits<short>::max() == SHRT_MAX && numeric_limits<short>::min() == SHRT_MIN && numeric_limits<ushort>::max() == USHRT_MAX
numeric_limits<long>::max() == LONG_MAX && numeric_limits<long>::min() == LONG_MIN && numeric_limits<ulong>::max() == ULONG_MAX
numeric_limits<float>::digits == FLT_MANT_DIG && numeric_limits<half>::digits == HALF_MANT_DIG && numeric_limits<bfloat>::digits == BFLT_MANT_DIG
numeric_limits<float>::digits10 == FLT_DIG && numeric_limits<half>::digits10 == HALF_DIG && numeric_limits<bfloat>::digits10 == BFLT_DIG
numeric_limits<float>::max_exponent == FLT_MAX_EXP && numeric_limits<half>::min_exponent == HALF_MIN_EXP && numeric_limits<bfloat>::max_exponent10 == BFLT_MAX_10_EXP
numeric_limits<bool>::max() && numeric_limits<int>::is_integer && numeric_limits<uint>::is_modulo && !numeric_limits<half>::is_integer && numeric_limits<half>::is_iec559
FLT_RADIX == 2 && FLT_MIN_EXP == -125 && FLT_MIN_10_EXP == -37 && FLT_MAX_10_EXP == 38 && HALF_MAX_EXP == 16 && HALF_MAX_10_EXP == 4 && HALF_MIN_10_EXP == -4 && HALF_RADIX == 2
BFLT_MAX_EXP == 128 && BFLT_MIN_EXP == -125 && BFLT_MIN_10_EXP == -37 && BFLT_RADIX == 2
is_same_v<remove_addrspace<int>::type, int> && is_same_v<remove_addrspace_t<half>, half> && is_same_v<uniform<int>, int>
is_same_v<simdgroup_bfloat8x8, simdgroup_matrix<bfloat, 8, 8>> && vec_elements<half3>::value == 3
is_same_v<decltype(memory_order_relaxed), memory_order> && is_same_v<decltype(thread_scope_device), thread_scope>
is_same_v<matrix<half, 2, 3>, half2x3> && is_same_v<packed_vec<int, 3>, packed_int3> && is_same_v<array<float, 2>::value_type, float>
""".strip().splitlines()  # fmt: skip

CONSTANTS = [
    "E",
    "LOG2E",
    "LOG10E",
    "LN2",
    "LN10",
    "PI",
    "PI_2",
    "PI_4",
    "1_PI",
    "2_PI",
    "2_SQRTPI",
    "SQRT2",
    "SQRT1_2",
]
VALUES = [2.718281828459045, 1.4426950408889634, 0.4342944819032518, 0.6931471805599453, 2.302585092994046,
          3.141592653589793, 1.5707963267948966, 0.7853981633974483, 0.3183098861837907, 0.6366197723675814,
          1.1283791670955126, 1.4142135623730951, 0.7071067811865476]  # fmt: skip

SOURCE = (
    """
struct Point { float x; float y; };
struct Nothing {};
struct Derived : Nothing {};
struct Last final {};
union Either { int i; float f; };
enum class Colour : uint { red };
"""
    + "".join(f'static_assert({line}, "");\n' for line in HOLDS)
    + "".join(
        f"kernel void constants_{t}(device {t}* o) {{ "
        + " ".join(f"*o++ = M_{c}_{suffix};" for c in CONSTANTS)
        + f" *o++ = MAX{word}; *o++ = HUGE_VAL{suffix}; *o++ = numeric_limits<{t}>::infinity(); *o++ = {short}_MAX; *o++ = {short}_MIN;"
        f" *o++ = {short}_EPSILON; *o++ = numeric_limits<{t}>::denorm_min(); *o++ = numeric_limits<{t}>::lowest(); }}\n"
        for t, suffix, word, short in (("float", "F", "FLOAT", "FLT"), ("half", "H", "HALF", "HALF"), ("bfloat", "BF", "BFLOAT", "BFLT"))
    )
    + """
template <class T> int total_of(T values) { int r = 0; for (auto v : values) r += v; return r; }
int moved(thread int&& x) { return x; }
kernel void arrays(device int* o) {
  array<int, 3> a = {{1, 2, 3}}; a[1] = 7; int plain[2] = {4, 5};
  array_ref<int> r = a; array_ref<int> none;
  *o++ = a.size(); *o++ = a.empty(); *o++ = a.front(); *o++ = a.back(); *o++ = a.data()[1]; *o++ = a.end() - a.begin();
  *o++ = total_of(a); *o++ = r[1]; *o++ = r.size(); *o++ = none.empty(); *o++ = total_of(r);
  *o++ = total_of(make_array_ref(plain)); *o++ = make_array_ref<2>(a.data()).size(); *o++ = make_array_ref(a.data(), 1).size();
  *o++ = make_array_ref(a)[2]; int x = 6; *o++ = moved(move(x)); *o++ = make_uniform(x); a.fill(9); *o++ = a[2];
}
"""
    + "".join(
        f"""
kernel void atomics_{t}(device atomic_{t}* a, device {t}* o) {{
  *o++ = atomic_load_explicit(a, memory_order_relaxed);
  atomic_store_explicit(a, {t}(6), memory_order_relaxed);
  *o++ = atomic_exchange_explicit(a, {t}(12), memory_order_relaxed);
  {t} expected = {t}(5);
  *o++ = atomic_compare_exchange_weak_explicit(a, &expected, {t}(1), memory_order_relaxed, memory_order_relaxed);
  *o++ = expected;
  while (!atomic_compare_exchange_weak_explicit(a, &expected, {t}(9), memory_order_relaxed, memory_order_relaxed)) {{}}
  {body}
  atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
  atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_acquire, thread_scope_threadgroup);
  atomic_thread_fence(mem_flags::mem_none, memory_order_release, thread_scope_simdgroup);
  atomic_thread_fence(mem_flags::mem_none, memory_order_acq_rel, thread_scope_thread);
  *o++ = atomic_load_explicit((const volatile device atomic_{t}*)a, memory_order_relaxed);
}}
"""
        for t, body in (
            ("int", "INTEGERS"), ("uint", "INTEGERS"), ("bool", ""), ("ulong", "LONGS"), ("float", "FLOATS"),
        )
    )
    .replace("INTEGERS", " ".join(
        f"*o++ = atomic_fetch_{name}_explicit((volatile device atomic<decltype(expected + 0)>*)a, {value}, memory_order_relaxed);"
        for name, value in (("add", 4), ("sub", 3), ("and", 14), ("or", 5), ("xor", 6), ("min", 8), ("max", 11))))
    .replace("LONGS", "atomic_max_explicit(a, 1ul << 40, memory_order_relaxed); *o++ = atomic_load_explicit(a, memory_order_relaxed);"
                      " atomic_min_explicit(a, 77ul, memory_order_relaxed);")
    .replace("FLOATS", "*o++ = atomic_fetch_add_explicit(a, 2.5f, memory_order_relaxed); *o++ = atomic_fetch_sub_explicit(a, 0.5f, memory_order_relaxed);")
    + """
kernel void shared(device uint* o, uint i [[thread_position_in_grid]], uint l [[thread_index_in_threadgroup]]) {
  threadgroup atomic_uint count;
  if (l == 0) atomic_store_explicit(&count, 0u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  atomic_fetch_add_explicit(&count, l, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  o[i] = atomic_load_explicit(&count, memory_order_relaxed);
}
"""
)  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> msl.Library:
    return compile_kernels(SOURCE, "traits.metal")


@pytest.mark.parametrize("t", ["float", "half", "bfloat"])
def test_constants(kernels: msl.Library, t: str) -> None:
    dtype = {"float": torch.float32, "half": torch.float16, "bfloat": torch.bfloat16}[t]
    info = torch.finfo(dtype)
    out = torch.zeros(len(VALUES) + 8, dtype=dtype, device="mps")
    kernels[f"constants_{t}"](out, threads=1)
    subnormal = info.smallest_normal * info.eps
    limits = [
        info.max,
        float("inf"),
        float("inf"),
        info.max,
        info.smallest_normal,
        info.eps,
        subnormal,
        info.min,
    ]
    assert torch.equal(out.cpu(), torch.tensor([*VALUES, *limits], dtype=torch.float64).to(dtype))


def test_arrays(kernels: msl.Library) -> None:
    out = torch.zeros(18, dtype=torch.int32, device="mps")
    kernels["arrays"](out, threads=1)
    assert out.tolist() == [3, 0, 1, 3, 7, 3, 11, 7, 3, 1, 11, 9, 2, 1, 3, 6, 6, 9]


@pytest.mark.parametrize(
    ("t", "dtype", "wanted"),
    [
        ("int", torch.int32, [3, 6, 0, 12, 9, 13, 10, 10, 15, 9, 8, 11]),
        ("uint", torch.int32, [3, 6, 0, 12, 9, 13, 10, 10, 15, 9, 8, 11]),
        ("ulong", torch.int64, [3, 6, 0, 12, 2**40, 77]),
        ("float", torch.float32, [3, 6, 0, 12, 9, 11.5, 11]),
    ],
)
def test_atomics(kernels: msl.Library, t: str, dtype: torch.dtype, wanted: list[float]) -> None:
    value = torch.full((1,), 3, dtype=dtype, device="mps")
    out = torch.zeros(len(wanted), dtype=dtype, device="mps")
    kernels[f"atomics_{t}"](value, out, threads=1)
    assert out.tolist() == wanted


def test_atomic_bool(kernels: msl.Library) -> None:
    value = torch.zeros(4, dtype=torch.bool, device="mps")
    out = torch.zeros(5, dtype=torch.bool, device="mps")
    kernels["atomics_bool"](value, out, threads=1)
    assert out.tolist() == [False, True, True, True, True]
    assert value.tolist() == [True, False, False, False]


def test_atomics_in_threadgroup_memory(kernels: msl.Library) -> None:
    out = torch.zeros(192, dtype=torch.int32, device="mps")
    kernels["shared"](out, threads=192, group_size=64)
    assert out.tolist() == [64 * 63 // 2] * 192


@pytest.mark.parametrize(
    "statement",
    [
        "atomic_float f; atomic_fetch_max_explicit(&f, 1.0f, memory_order_relaxed);",
        "atomic_ulong u; atomic_fetch_add_explicit(&u, 1ul, memory_order_relaxed);",
        "atomic_int i; atomic_max_explicit(&i, 1, memory_order_relaxed);",
        "atomic<half> h;",
    ],
)
def test_atomics_that_metal_lacks(statement: str) -> None:
    with pytest.raises(msl.CompileError, match=r"no matching function|undefined template"):
        compile_kernels(f"kernel void f(device float* o) {{ {statement} }}", "wrong.metal")


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("void f(texture2d<float> t) {}", "textures"),
        ("void f(texture2d<half, access::read_write> t) {}", "textures"),
        ("void f(depth2d<float> t) {}", "textures"),
        ("void f() { constexpr sampler s; }", "samplers"),
        ("float f(float x) { return dfdx(x); }", "graphics"),
        ("void f() { discard_fragment(); }", "graphics"),
        ("void f(visible_function_table<int(int)> t) {}", "tables of functions"),
        ("void f(imageblock<float> b) {}", "image blocks"),
        ("#include <metal_raytracing>\nvoid f() { raytracing::ray r; }", "ray tracing"),
        ("#include <metal_raytracing>\nvoid f() { raytracing::intersector<int> r; }", "ray tracing"),
        ("#include <metal_tensor>\nvoid f(tensor<float, int> t) {}", "tensors"),
        ("#include <metal_mesh>\nvoid f(mesh_grid_properties m) {}", "mesh shading"),
        ("#include <metal_command_buffer>\nvoid f(compute_command c) {}", "command buffers"),
        ("#include <metal_tessellation>\nvoid f(patch_control_point<float> p) {}", "tessellation"),
        ("#include <metal_interpolate>\nvoid f(interpolant<float> i) {}", "interpolants"),
    ],
)
def test_out_of_scope(code: str, what: str) -> None:
    with pytest.raises(msl.CompileError, match=f"unavailable: out of scope of the simulator: {what}"):
        compile_kernels(f"{code}\nkernel void k(device float* o) {{ o[0] = 1; }}", "scope.metal")


def declared() -> set[str]:
    """What the headers declare in metal::, as clang lists it, but for what is out of scope."""
    folder = _compiler.include_directory()
    flags = [*_compiler._LANGUAGE, *_compiler._WORDS, "-Wno-everything", "-isystem", str(folder)]
    command = [*_compiler.clang()[0], "-x", "c++", *flags, "-fsyntax-only", "-Xclang", "-ast-list", "-"]
    text = "#include <mpsops_support.h>\n" + HEADER
    listed = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"^metal::(?:precise::|fast::)?([a-z]\w*)$", listed, re.MULTILINE))
    scope = "".join(
        text
        for path in folder.iterdir()
        if path.is_file() and "MPSOPS_OUT_OF_SCOPE" in (text := path.read_text())
    )
    return {name for name in names - {"precise", "fast"} if not re.search(rf"\b{name}\b", scope)}


def test_every_declared_name_is_in_a_test() -> None:
    """A function that comes new to the headers needs a test that calls it."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    words = set(re.findall(r"\w+", tests))
    # Tables make these names from their parts.
    made = {
        f"pack_{t}_to_{name}" for t in ("float", "half") for name in re.findall(r'"([us]norm\w+)"', tests)
    } | {f"unpack_{name}_to_{t}" for t in ("float", "half") for name in re.findall(r'"([us]norm\w+)"', tests)}
    made |= {f"{kind}_{t}_to_srgb_unorm4x8" for kind in ("pack", "unpack") for t in ("float", "half")}
    made |= {f"unpack_unorm4x8_srgb_to_{t}" for t in ("float", "half")}
    made |= {f"atomic_fetch_{name}_explicit" for name in ("add", "sub", "and", "or", "xor", "min", "max")}
    made |= {f"{t}{c}x{r}" for t in ("half", "float") for c in (2, 3, 4) for r in (2, 3, 4)}
    scalars = [
        "bool",
        "char",
        "uchar",
        "short",
        "ushort",
        "int",
        "uint",
        "long",
        "ulong",
        "half",
        "bfloat",
        "float",
    ]
    made |= {f"{packed}{t}{n}" for packed in ("", "packed_") for t in scalars for n in (2, 3, 4)}
    made |= {f"{group}_{word}" for group in ("simd", "quad") for word in words}
    made |= {f"quad_{word[5:]}" for word in words if word.startswith("simd_")}  # one template for both
    missing = declared() - words - made
    assert not missing, sorted(missing)
