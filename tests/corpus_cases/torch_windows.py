"""PyTorch 2.6: windows of images."""

from collections.abc import Iterator

import torch
from kernel_corpus import Run, family

from corpus_cases.torch_elementwise import DTYPES, strides


def reversed_strides(tensor: torch.Tensor) -> torch.Tensor:
    return strides(tensor.stride()[::-1])


@family("torch", "Im2Col.metal", fits="kernel_dilation")
def im2col() -> Iterator[Run]:
    pairs = {"float2": torch.float32, "half2": torch.float16}
    for name, dtype in (DTYPES | {"bool": torch.bool} | pairs).items():
        for window, dilation, padding, stride in (
            ((2, 3), (1, 1), (0, 0), (1, 1)),
            ((3, 2), (2, 1), (1, 2), (2, 1)),
        ):
            parts = [torch.randint(0, 2 if dtype == torch.bool else 9, (2, 3, 6, 5)) for _ in range(2)]
            columns = [
                torch.nn.functional.unfold(part.double(), window, dilation, padding, stride) for part in parts
            ]
            x, expected = parts[0].to(dtype), columns[0]
            shape = columns[0].shape
            out = torch.zeros(shape, dtype=dtype)
            steps = [reversed_strides(x), reversed_strides(out)]
            if name in pairs:
                x, expected = torch.stack(parts, -1).to(dtype), torch.stack(columns, -1)
                out = torch.zeros(expected.shape, dtype=dtype)
            width = (5 + 2 * padding[1] - dilation[1] * (window[1] - 1) - 1) // stride[1] + 1
            bound = [
                x,
                out,
                torch.tensor([*window[::-1], *dilation[::-1]], dtype=torch.int32),
                torch.tensor([*padding[::-1], *stride[::-1]], dtype=torch.int32),
                steps[0],
                torch.cat([steps[1], torch.tensor([width])]),
                torch.tensor([5, 6, 3, 2]),
            ]
            yield Run(f"im2col_{name}", bound, {1: expected}, (shape[2], 3, 2), (64, 1, 1))


@family("torch", "UpSample.metal", fits="upsample_bicubic2d_backward")
def bicubic() -> Iterator[Run]:
    for name, dtype in DTYPES.items():
        for size, corners in (((7, 9), False), ((7, 9), True), ((3, 2), False)):
            x = torch.randint(-4, 5, (2, 2, 4, 6)).to(dtype)
            wide = x.double().requires_grad_()
            expected = torch.nn.functional.interpolate(wide, size, mode="bicubic", align_corners=corners)
            out = torch.zeros(expected.shape, dtype=dtype)
            scales = [
                (old - 1) / (new - 1) if corners else old / new
                for old, new in zip(x.shape[:1:-1], out.shape[:1:-1], strict=True)
            ]
            layout = [
                reversed_strides(x),
                reversed_strides(out),
                strides(tuple(x.shape)[::-1]),
                strides(tuple(out.shape)[::-1]),
                torch.tensor(scales, dtype=torch.float32),
                corners,
            ]
            threads = size[0] * size[1]
            yield Run(f"upsample_bicubic2d_{name}", [x, out, *layout], {1: expected.detach()}, threads)
            grad = torch.randint(-2, 3, out.shape).to(dtype)
            expected.backward(grad.double())
            bound = [torch.zeros_like(x), grad, *layout]
            # 16 of every pixel of the output, each added by itself.
            added = 16 * threads // (x.shape[2] * x.shape[3])
            yield Run(f"upsample_bicubic2d_backward_{name}", bound, {0: wide.grad}, threads, roundings=added)
