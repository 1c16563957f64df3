"""Whether the device's result is the CPU's."""

import torch

# torch.testing's tolerances against float64.
_TOLERANCES = {
    torch.float32: (1.3e-6, 1e-5),
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.complex64: (1.3e-6, 1e-5),
}


def difference(found: torch.Tensor, cpu: torch.Tensor, exact: torch.Tensor) -> str | None:
    """What is wrong with ``found``, in a few words, or ``None``.

    Args:
        found: the device's.
        cpu: the CPU's, in the same dtype. Where it is itself further from ``exact`` than the dtype's
            tolerance, the device's may be as far.
        exact: the CPU's in float64.
    """
    if found.device.type != "mps":
        return f"the result is on {found.device}"
    if (found.shape, found.dtype) != (cpu.shape, cpu.dtype):
        return f"{list(found.shape)} {found.dtype} instead of {list(cpu.shape)} {cpu.dtype}"
    found = found.cpu()
    if found.dtype not in _TOLERANCES:
        wrong = found != cpu
        return f"{int(wrong.sum())} of {found.numel()} values differ" if wrong.any() else None
    if found.is_complex():
        found, cpu, exact = (torch.view_as_real(t.resolve_conj()) for t in (found, cpu, exact))
    relative, absolute = _TOLERANCES[found.dtype if found.dtype in _TOLERANCES else torch.float32]
    exact = exact.double()
    tolerance = absolute + relative * exact.abs()
    finite = exact.isfinite() & cpu.isfinite()
    allowed = ((cpu.double() - exact).abs() / tolerance)[finite].amax() if finite.any() else torch.tensor(1.0)
    error = (found.double() - exact).abs() / tolerance
    wrong = finite & ~(error <= allowed.clamp_min(1.0) * (1 + 1e-12))
    # NaN, infinities and overflow are as the CPU's kernel of the same dtype has them.
    wrong |= ~finite & (found != cpu) & ~(found.isnan() & cpu.isnan())
    if not wrong.any():
        return None
    at = tuple(wrong.nonzero()[0].tolist())
    return (
        f"{int(wrong.sum())} of {found.numel()} values are wrong, the first {found[at]:.6g} for {cpu[at]:.6g}"
    )
