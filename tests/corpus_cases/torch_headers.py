"""PyTorch 2.13: kernels in the headers of an installed torch, attention and sorting."""

import struct
from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES, strides

HEADS, BATCH, DEPTH = 2, 2, 64


def _inputs(queries: int, keys: int, dtype: torch.dtype) -> list[torch.Tensor]:
    lengths = (queries, keys, keys)
    return [torch.randn(BATCH, HEADS, length, DEPTH).to(dtype) for length in lengths]


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(
        q.double(), k.double(), v.double(), is_causal=causal
    )


PREFILL = "\n".join(
    f"instantiate_attn({name}, {t}, 32, 32, 64, 4, 1, 0, {causal}, {name}, {t})"
    for name, t in (("float32", "float"), ("float16", "half"), ("bfloat16", "bfloat"))
    for causal in (0, 1)
)


@family("torch-headers", "PrefillAttention.h", instances=PREFILL)
def prefill() -> Iterator[Run]:
    for name, dtype in (("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        for causal in (0, 1):
            for queries, keys in ((40, 50), (64, 64)):
                q, k, v = _inputs(queries, keys, dtype)
                out = torch.zeros_like(q)
                every = [step for each in (q, k, v, out) for step in each.stride()[:3]]
                fields = (BATCH, HEADS, DEPTH, queries, keys, 1, DEPTH**-0.5, 1.0)
                parameters = struct.pack("6i2f12i", *fields, *every)
                kernel = f"prefill_attention_{name}_bq32_bk32_bd64_wm4_wn1_hm0_dc{causal}_mask{name}"
                yield Run(
                    kernel,
                    [q, k, v, out, parameters, None, None],
                    {3: _attention(q, k, v, bool(causal))},
                    ((queries + 31) // 32, HEADS, BATCH),
                    (32, 4, 1),
                    groups=True,
                    # Scaled queries and weights are rounded before they are multiplied.
                    roundings=0 if dtype == torch.float32 else 4,
                )


DECODE = "\n".join(
    f"INSTANTIATE_SDPA_VECTOR({t}, 64, 64) INSTANTIATE_SDPA_VECTOR_2PASS_1({t}, 64, 64)"
    f" INSTANTIATE_SDPA_VECTOR_AGGREGATION({t}, 64)"
    for t in DTYPES
)


@family("torch-headers", "DecodeAttention.h", instances=DECODE)
def decode() -> Iterator[Run]:
    queries, keys, blocks = 3, 300, 32
    grid = (BATCH * HEADS, queries)
    for name, dtype in DTYPES.items():
        q, k, v = _inputs(queries, keys, dtype)
        steps = [
            torch.tensor([*(each.stride(d) for each in (q, k, v)), 0], dtype=torch.int32) for d in (1, 2)
        ]
        batches = torch.tensor([*(each.stride(0) for each in (q, k, v)), HEADS], dtype=torch.int32)
        layout = [1, keys, *steps, DEPTH**-0.5, None, None, batches]
        for causal in (False, True):
            expected = {3: _attention(q, k, v, causal)}
            kernel = f"sdpa_vector_{name}_64_64_masknone" + "_causal" * causal
            bound = [q, k, v, torch.zeros_like(q), *layout]
            yield Run(kernel, bound, expected, grid, 1024, groups=True)
        scores = (q.double() @ k.double().mT * DEPTH**-0.5)[..., None, :]
        # Eight simdgroups of a block take eight keys at a time.
        mine = torch.arange(keys) // 8 % blocks == torch.arange(blocks)[:, None]
        largest = scores.masked_fill(~mine, -torch.inf).amax(-1)
        weights = (scores - largest[..., None]).exp() * mine
        partial = weights @ v.double()[:, :, None]
        sums = weights.sum(-1)
        shape = (BATCH, HEADS, queries, blocks)
        bound = [q, k, v, torch.zeros(*shape, DEPTH, dtype=dtype), torch.zeros(shape), torch.zeros(shape)]
        results = {3: partial, 4: sums, 5: largest}
        kernel = f"sdpa_vector_2pass_1_{name}_64_64_masknone"
        yield Run(kernel, [*bound, *layout], results, (*grid, blocks), 256, groups=True, roundings=8)
        bound = [partial.to(dtype), sums.float(), largest.float(), torch.zeros_like(q)]
        expected = {3: _attention(q, k, v, False)}
        rounded = 0 if dtype == torch.float32 else 2
        yield Run(
            f"sdpa_vector_2pass_2_{name}_64", bound, expected, grid, 1024, groups=True, roundings=rounded
        )


SORT = """
INSTANTIATE_SORT(float, 64, 4) INSTANTIATE_SORT(short, 64, 4)
INSTANTIATE_TOPK_BLOCK_AND_MERGE(float, 64, 4)
INSTANTIATE_RADIX(float, 512, 4, 8) INSTANTIATE_RADIX(short, 1024, 4, 8)
"""


@family("torch-headers", "SortTopK.h", instances=SORT)
def sort() -> Iterator[Run]:
    for name, dtype in (("float", torch.float32), ("short", torch.int16)):
        for descending in (False, True):
            yield from _merge_sort(name, dtype, descending)
            yield from _radix_sort(name, dtype, descending)


def _rows(count: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.stack([torch.randperm(count) - count // 2 for _ in range(2)]).to(dtype)


def _merge_sort(name: str, dtype: torch.dtype, descending: bool) -> Iterator[Run]:
    x = _rows(201, dtype)
    for suffix in ("", "_stable"):
        keys = x // 4 if suffix else x
        values, places = keys.sort(dim=1, descending=descending, stable=True)
        bound = [keys, torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.int64)]
        bound += [201, strides((1, 201)), descending]
        kernel = f"sort_block_{name}_tptg64{suffix}"
        yield Run(kernel, bound, {1: values, 2: places}, (1, 2), 64, groups=True)
    values, places = x.sort(dim=1, descending=descending)
    if name == "float":
        out = [torch.zeros(2, 5, dtype=dtype), torch.zeros(2, 5, dtype=torch.int64)]
        bound = [x, *out, 201, strides((1, 201)), descending, torch.tensor([3, 5], dtype=torch.int32)]
        best = {1: values[:, 3:8], 2: places[:, 3:8]}
        yield Run("sort_block_topk_float_tptg64", bound, best, (1, 2), 64, groups=True)
    x = _rows(600, dtype)
    padded = torch.nn.functional.pad(x.long(), (0, 168), value=-5000 if descending else 5000).reshape(
        2, 3, 256
    )
    runs, order = padded.sort(dim=2, descending=descending)
    order = order + 256 * torch.arange(3)[:, None]
    values, places = (each.flatten(1)[:, :600] for each in (runs, order))
    empty = [torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.int32)]
    bound = [x, *empty, 600, strides((1, 600)), descending]
    yield Run(f"mb_sort_block_{name}_tptg64", bound, {1: values, 2: places}, (3, 2), 64, groups=True)
    # Then runs of two blocks, then of all.
    pair, rest = values[:, :512].sort(dim=1, descending=descending), values[:, 512:]
    merged = torch.cat([pair[0], rest], 1)
    places_merged = torch.cat([places[:, :512].gather(1, pair[1]), places[:, 512:]], 1)
    bound = [
        values.to(dtype),
        places.int(),
        *empty,
        torch.tensor([600, 2, 3, 0], dtype=torch.int32),
        descending,
    ]
    results = {2: merged, 3: places_merged}
    yield Run(f"mb_merge_{name}_tptg64", bound, results, (3, 2), 64, groups=True)
    whole = x.sort(dim=1, descending=descending)
    wide = [torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.int64)]
    sizes = torch.tensor([600, 4, 3, 0], dtype=torch.int32)
    bound = [merged.to(dtype), places_merged.int(), *wide, sizes, descending]
    results = {2: whole.values, 3: whole.indices}
    yield Run(f"mb_merge_final_{name}_tptg64", bound, results, (3, 2), 64, groups=True)


def _radix_sort(name: str, dtype: torch.dtype, descending: bool) -> Iterator[Run]:
    """One digit of eight bits: counts, where each begins, and the elements in their order."""
    count, threads, digits = 5000, 512 if name == "float" else 1024, 256
    x = _rows(count, dtype)
    bits = 8 * x.element_size()
    pattern = x.view(torch.int32 if bits == 32 else torch.int16).long() & (1 << bits) - 1
    sign = 1 << bits - 1
    negative = dtype.is_floating_point & (pattern >= sign)
    key = torch.where(negative, (1 << bits) - 1 - pattern, pattern ^ sign)
    key = (1 << bits) - 1 - key if descending else key
    block = 4 * threads
    blocks = (count + block - 1) // block
    for shift in (0, bits - 8):
        digit = key >> shift & 255
        counts = torch.zeros(2, digits, blocks, dtype=torch.int64)
        for number in range(blocks):
            part = digit[:, number * block : (number + 1) * block]
            for row in range(2):
                counts[row, :, number] = torch.bincount(part[row], minlength=digits)
        flat = counts.flatten(1)
        begins = flat.cumsum(1) - flat
        sizes = torch.tensor([count, blocks, shift, 0], dtype=torch.int32)
        bound = [x, torch.zeros(flat.shape, dtype=torch.int32), sizes, descending]
        grid = (blocks, 2)
        yield Run(f"radix_count_{name}_8bit", bound, {1: flat}, grid, threads, groups=True)
        yield Run(f"radix_count_scan_{name}_8bit_mb4", bound, {1: begins}, (1, 2), threads, groups=True)
        bound = [flat.int(), flat.shape[1]]
        yield Run("radix_scan", bound, {0: begins}, (1, 2), 1024, groups=True)
        order = digit.argsort(dim=1, stable=True)
        out = [torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.int64)]
        flags = struct.pack("2?", descending, True)
        bound = [x, torch.zeros(x.shape, dtype=torch.int32), *out, begins.int(), sizes, flags]
        results = {2: x.gather(1, order), 3: order}
        yield Run(f"radix_scatter_final_{name}_8bit", bound, results, grid, threads, groups=True)
