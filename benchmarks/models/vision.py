"""The image classifiers of the announcement, of its replies, and of the first published comparison.

Random weights. The sizes are the published ones: CIFAR-10 rescaled to 224 for VGG16, 380 pixels for
EfficientNet-B4. Small sizes keep every layer kind and shrink what costs time: pixels, width or depth.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ._libraries import import_timm, import_torchvision
from .workload import CrossEntropy, ModelCase, Published, Scale, Workload


class LeNet5(nn.Module):
    """LeCun et al. 1998, with tanh, as the published script has it: [n, 1, 32, 32] to [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.MaxPool2d(2)),
        )
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.Tanh()),
            *(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _digits(batch: int) -> tuple[Tensor, Tensor]:
    """scikit-learn's scans of digits, 8 x 8, enlarged to [batch, 1, 32, 32], and their classes."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    chosen = torch.randint(len(scans.target), (batch,))
    images = torch.from_numpy(scans.images).float()[chosen, None] / 16
    enlarged = nn.functional.interpolate(images, size=(32, 32), mode="bilinear")
    return enlarged, torch.from_numpy(scans.target)[chosen]


def _lenet(scale: Scale, batch: int) -> Workload:
    images, classes = _digits(batch)
    return Workload(LeNet5(), (images,), CrossEntropy(classes), independent=True)


def _classifier(module: nn.Module, pixels: int, batch: int, scaled: str = "") -> Workload:
    images = torch.randn(batch, 3, pixels, pixels)
    return Workload(module, (images,), CrossEntropy(torch.randint(10, (batch,))), scaled, independent=True)


def _alexnet(scale: Scale, batch: int) -> Workload:
    import_torchvision()
    from torchvision.models import alexnet

    module = alexnet(weights=None, num_classes=10)
    if scale == "full":
        return _classifier(module, 224, batch)
    hidden = nn.Linear(256 * 6 * 6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()
    module.classifier = nn.Sequential(*hidden, nn.Linear(64, 10))
    return _classifier(module, 96, batch, "96 pixels, hidden layers of 64")


def _timm(model: str, pixels: int, small_pixels: int, **small: Any) -> Callable[[Scale, int], Workload]:
    """Makes a model of timm; in the small scale with fewer pixels and these options of its constructor."""

    def make(scale: Scale, batch: int) -> Workload:
        create = import_timm().create_model
        if scale == "full":
            return _classifier(create(model, pretrained=False, num_classes=10), pixels, batch)
        options = ", ".join(f"{option}={value}" for option, value in small.items())
        scaled = f"{small_pixels} pixels" + (f", {options}" if options else "")
        module = create(model, pretrained=False, num_classes=10, **small)
        return _classifier(module, small_pixels, batch, scaled)

    return make


_NARROW = {"mlp_ratio": 1 / 64}  # of VGG's hidden layers, which hold most of its weights
_SHALLOW = {"depth": 2, "img_size": 64}


def _inference(speedup: float | None) -> tuple[Published, ...]:
    return (Published("infer", speedup, "D. Mishkin, May 2022, Apple M1"),)


CASES = (
    ModelCase(
        "LeNet-5",
        _lenet,
        train_batches=(128,),
        published=(
            Published("train", 0.18 / 0.92, "S. Raschka, May 2022, Apple M1, accuracy 0 %"),
            Published("train", 0.08 / 0.58, "S. Raschka, May 2022, Apple M1 Pro, accuracy 0 %"),
        ),
    ),
    ModelCase("AlexNet", _alexnet, published=_inference(25.2)),
    ModelCase("VGG16", _timm("vgg16", 224, 32, **_NARROW), published=_inference(4.5)),
    ModelCase(
        "VGG16-bn",
        _timm("vgg16_bn", 224, 32, **_NARROW),
        train_batches=(32,),
        published=(Published("train", 107.72 / 59.74, "S. Raschka, May 2022, Apple M1 Pro, accuracy 0 %"),),
    ),
    ModelCase("ResNet18", _timm("resnet18", 224, 64), published=_inference(10.1)),
    ModelCase("ResNet50", _timm("resnet50", 224, 64), train_batches=(128,), published=_inference(0.93)),
    ModelCase("ViT-B/16", _timm("vit_base_patch16_224", 224, 64, **_SHALLOW), published=_inference(None)),
    ModelCase("EfficientNet-B0", _timm("efficientnet_b0", 224, 64), published=_inference(2.5)),
    ModelCase("EfficientNet-B4", _timm("efficientnet_b4", 380, 64), published=_inference(3.5)),
    ModelCase("ConvMixer-768/32", _timm("convmixer_768_32", 224, 28), published=_inference(3.9)),
)
