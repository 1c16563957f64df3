"""CTC loss with lengths in tensors, as under torch.compile: torch's entry always has them in lists."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.testing._internal.common_dtype import floating_types
from torch.testing._internal.opinfo.core import OpInfo, SampleInput

# Input and target length: with room, without, of nothing, and a target that does not fit.
_LENGTHS = ((9, 4), (9, 0), (6, 4), (4, 4), (1, 1), (0, 0), (2, 3))


def _loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    *,
    blank: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """Without log_alpha, part of which the CPU kernel leaves unwritten."""
    loss: Tensor = torch.ops.aten._ctc_loss.Tensor(
        log_probs, targets, input_lengths, target_lengths, blank, zero_infinity
    )[0]
    return loss


def _samples(
    op_info: OpInfo, device: str, dtype: torch.dtype, requires_grad: bool, **kwargs: Any
) -> Iterator[SampleInput]:
    input_lengths, target_lengths = torch.tensor(_LENGTHS).t().unbind()
    for blank in (0, 5):
        for integers in (torch.int64, torch.int32):
            # Not concatenated: of those that are not contiguous, the CPU kernel reads others.
            targets = torch.randint(1, 4, (len(_LENGTHS), 4))
            log_probs = torch.randn(9, len(_LENGTHS), 6).log_softmax(2)
            integer_tensors = (targets, input_lengths, target_lengths)
            yield SampleInput(
                log_probs.to(device, dtype).requires_grad_(requires_grad),
                args=tuple(tensor.to(device, integers) for tensor in integer_tensors),
                kwargs={"blank": blank, "zero_infinity": integers is torch.int32},
            )


op_db = [
    OpInfo(
        "_ctc_loss",
        op=_loss,
        dtypes=floating_types(),
        supports_out=False,
        sample_inputs_func=_samples,
    )
]
