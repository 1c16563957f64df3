"""Which part of torch an op belongs to, from what torch tells about it: name, module, tags, keys."""

import re
from dataclasses import dataclass

from .yaml_file import Entry

OTHER = "other"


@dataclass(frozen=True)
class Rule:
    """An op that meets any of these is in the group."""

    group: str
    names: str | None = None
    module: str | None = None
    tags: frozenset[str] = frozenset()
    keys: str | None = None
    views: bool = False
    factories: bool = False

    def takes(self, entry: Entry) -> bool:
        return bool(
            (self.names and re.search(self.names, entry.name))
            or (self.module and entry.module == self.module)
            or self.tags & entry.tags
            or (self.keys and entry.kernels and all(key.startswith(self.keys) for key in entry.kernels))
            or (self.views and entry.views)
            or (self.factories and entry.factory)
        )


# In this order; the first that takes an op has it.
RULES = (
    Rule("other backends", r"mkldnn|cudnn|miopen|mkl_|cuda|cslt|cutlass|triton|nnpack|xpu", keys="Mkldnn"),
    Rule("self-tests", r"^_test_|^_foobar|dummy"),
    Rule("foreach", r"^_foreach_|^_amp_foreach"),
    Rule("optimizers", r"^_fused_(ada|sgd)"),
    Rule(
        "quantized", r"quant(?!ile)|(^|_)q_|_fq_|qparams|^_?int_repr|int[48]pack|int[48]mm", keys="Quantized"
    ),
    Rule("nested", r"nested|jagged", "nested", keys="NestedTensor"),
    Rule(
        "sparse",
        r"sparse|(^|_)(csr|csc|coo|bsr|bsc|coalesced?)($|_|\.)|^s?spm|^hspmm",
        "sparse",
        keys="Sparse",
    ),
    Rule(
        "linalg",
        r"linalg|cholesky|matrix_|(^|_)(lu|qr|svd|i?det|slogdet|logdet|geqrf|orgqr|ormqr|lstsq)($|_|\.)"
        r"|triangular_solve|^p?inverse|householder",
        "linalg",
    ),
    Rule("fft", r"(^|_)i?(stft|fft)", "fft"),
    Rule("attention", r"attention|sdp|multi_head|transformer|qkv"),
    Rule("recurrent", r"(^|_)(lstm|gru|rnn)"),
    Rule("convolution", r"conv|im2col|col2im"),
    Rule("pooling", r"pool"),
    Rule("upsampling", r"upsample|grid_sampl|affine_grid|pixel_(un)?shuffle"),
    Rule("losses", r"loss|cross_entropy"),
    Rule("normalization", r"(batch|layer|group|instance|rms|weight)_norm|renorm"),
    Rule("embedding", r"embedding"),
    Rule("random", r"(^|_)(philox|rand|dropout|rrelu)", tags=frozenset({"nondeterministic_seeded"})),
    Rule("special functions", r"^special_", "special"),
    Rule(
        "matmul",
        r"(^|_)(add|badd|addb|chain_mat)?(mm|bmm|mv|matmul|v?dot|ger|addr|outer|einsum|linear)($|_|\.)",
    ),
    Rule(
        "indexing",
        r"index|gather|scatter|(^|_)(take|put|masked|nonzero|where|segment)|searchsorted|bucketize",
    ),
    Rule("distances", r"pdist|cdist|euclidean_dist|cosine_similarity"),
    Rule("padding", r"pad(\d|_|$|\.)|_pad"),
    Rule(
        "activations",
        r"softmax|sigmoid|(^|_)(hard|soft|leaky_|p?re|[cs]?e|ge|si)lu|softplus|shrink|mish|glu|threshold",
    ),
    Rule("sorting", r"sort|topk|unique|median|mode|kthvalue|hist|quantile|bincount|cummin|cummax"),
    Rule("scans", r"cum(sum|prod|ulative)|logcumsumexp|trapezoid|trapz|^diff"),
    Rule("views", tags=frozenset({"view_copy", "inplace_view"}), views=True),
    Rule("factories", r"window", factories=True),
    Rule("pointwise", tags=frozenset({"pointwise"})),
    Rule("reductions", tags=frozenset({"reduction"})),
)
# The rest, and what no user of MPS misses, come last.
_LAST = (OTHER, "other backends", "self-tests")
NAMES = (*sorted({rule.group for rule in RULES} - set(_LAST)), *_LAST)


def group_of(entry: Entry) -> str:
    return next((rule.group for rule in RULES if rule.takes(entry)), OTHER)
