"""BERT-base, and speech recognition trained with CTC. Random weights, random tokens and sounds."""

import torch
from torch import Tensor, nn

from ._libraries import import_transformers
from .workload import CrossEntropy, ModelCase, Scale, Workload


class _Logits(nn.Module):
    """A model of transformers that takes and gives plain tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs).logits
        return logits


def _bert(scale: Scale, batch: int) -> Workload:
    """Devlin et al. 2018, classifying sequences of 128 tokens."""
    import_transformers()
    from transformers import BertConfig, BertForSequenceClassification

    small = scale == "small"
    widths = {"num_hidden_layers": 2, "hidden_size": 128, "num_attention_heads": 2}
    config = BertConfig(**(widths if small else {}))
    tokens = torch.randint(config.vocab_size, (batch, 32 if small else 128))
    model = _Logits(BertForSequenceClassification(config))
    scaled = "2 layers of width 128, 32 tokens" if small else ""
    return Workload(model, (tokens,), CrossEntropy(torch.randint(2, (batch,))), scaled, independent=True)


class _CtcLoss(nn.Module):
    """Of logits [batch, time, classes] against targets [batch, length]; class 0 is the blank."""

    targets: Tensor

    def __init__(self, targets: Tensor) -> None:
        super().__init__()
        self.register_buffer("targets", targets)

    def forward(self, logits: Tensor) -> Tensor:
        batch, time, _ = logits.shape
        return nn.functional.ctc_loss(
            logits.log_softmax(-1).transpose(0, 1),
            self.targets,
            torch.full((batch,), time),
            torch.full((batch,), self.targets.shape[1]),
            zero_infinity=True,
        )


def _wav2vec2(scale: Scale, batch: int) -> Workload:
    """Baevski et al. 2020: two seconds of sound at 16 kHz to letters, trained with CTC."""
    import_transformers()
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    small = scale == "small"
    widths = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    convolutions = {"conv_dim": (32,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    # Masked time steps are drawn on the CPU with NumPy: a source of differences, and no work for the device.
    plain = {"apply_spec_augment": False, "layerdrop": 0.0}
    config = Wav2Vec2Config(**plain, **(widths | convolutions if small else {}))
    sounds = torch.randn(batch, 8_000 if small else 32_000)
    targets = torch.randint(1, config.vocab_size, (batch, 8 if small else 24))
    scaled = "2 layers of width 64, half a second" if small else ""
    return Workload(_Logits(Wav2Vec2ForCTC(config)), (sounds,), _CtcLoss(targets), scaled, independent=True)


CASES = (
    ModelCase("BERT-base", _bert),
    ModelCase("wav2vec2-base, CTC", _wav2vec2, infer_batches=(1, 8), train_batches=(8,)),
)
