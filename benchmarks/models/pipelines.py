"""kornia pipelines: warps, augmentation, robust estimation of geometry, CLAHE, morphology, losses."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .workload import ModelCase, Scale, Workload


class _Pipeline(nn.Module):
    """A function as a module, for those of kornia that are none."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


def _mean_square(result: Tensor) -> Tensor:
    return result.square().mean()


def _images(scale: Scale, batch: int, channels: int = 3) -> Tensor:
    pixels = 32 if scale == "small" else 256
    return torch.rand(batch, channels, pixels, pixels)


def _of_images(name: str, function: Callable[[Any], Callable[..., Any]], channels: int = 3) -> ModelCase:
    """A pipeline from images to something differentiable; `function` is given kornia."""

    def make(scale: Scale, batch: int) -> Workload:
        import kornia

        module = function(kornia)
        if not isinstance(module, nn.Module):
            module = _Pipeline(module)
        scaled = "32 pixels" if scale == "small" else ""
        return Workload(module, (_images(scale, batch, channels),), _mean_square, scaled)

    return ModelCase(name, make, infer_batches=(1, 8, 32), train_batches=(8,))


def _affine(kornia: Any) -> Callable[[Tensor], Tensor]:
    def warp(images: Tensor) -> Tensor:
        n, _, height, width = images.shape
        center = images.new_tensor([width / 2, height / 2]).expand(n, 2)
        scale = images.new_full((n, 2), 1.1)
        angle = torch.linspace(-30, 30, n, device=images.device, dtype=images.dtype)
        matrix = kornia.geometry.get_rotation_matrix2d(center, angle, scale)
        warped: Tensor = kornia.geometry.warp_affine(images, matrix, (height, width), padding_mode="border")
        return warped

    return warp


def _perspective(kornia: Any) -> Callable[[Tensor], Tensor]:
    def warp(images: Tensor) -> Tensor:
        n, _, height, width = images.shape
        right, bottom = width - 1, height - 1
        corners = images.new_tensor([[0, 0], [right, 0], [right, bottom], [0, bottom]]).expand(n, 4, 2)
        inset = images.new_tensor([[2, 3], [-4, 1], [-1, -5], [3, -2]])
        matrix = kornia.geometry.get_perspective_transform(corners, corners + inset)
        warped: Tensor = kornia.geometry.warp_perspective(images, matrix, (height, width))
        return warped

    return warp


def _augmentation(kornia: Any) -> nn.Module:
    """The random parameters are drawn on the CPU, from the generator that is seeded here."""
    augment = kornia.augmentation
    sequence = augment.AugmentationSequential(
        augment.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0),
        augment.RandomHorizontalFlip(p=0.5),
        augment.RandomAffine(degrees=15.0, translate=(0.1, 0.1), scale=(0.9, 1.1), p=1.0),
        augment.RandomPerspective(0.2, p=1.0),
        augment.RandomGaussianBlur((3, 3), (0.1, 1.0), p=1.0),
        data_keys=["input"],
    )

    def seeded(images: Tensor) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return sequence(images)

    return _Pipeline(seeded)


def _clahe(kornia: Any) -> Callable[[Tensor], Tensor]:
    """kornia's fast algorithm, and its differentiable one where gradients are wanted."""
    equalize = kornia.enhance.equalize_clahe
    return lambda images: equalize(images, 4.0, (4, 4), slow_and_differentiable=images.requires_grad)


def _morphology(kornia: Any) -> Callable[[Tensor], Tensor]:
    def run(images: Tensor) -> Tensor:
        kernel = torch.ones(5, 5, device=images.device)
        morphology = kornia.morphology
        return torch.cat([each(images, kernel) for each in (morphology.opening, morphology.gradient)])

    return run


def _losses(kornia: Any) -> Callable[[Tensor], Tensor]:
    def run(images: Tensor) -> Tensor:
        losses = kornia.losses
        other = images.detach().flip(-1)
        labels = other.mean(1).mul(3).long().clamp(max=2)
        return torch.stack(
            [
                losses.ssim_loss(images, other, 5),
                losses.psnr_loss(images, other, 1.0),
                losses.total_variation(images).mean(),
                losses.dice_loss(images, labels),
                losses.focal_loss(images, labels, alpha=0.5, reduction="mean"),
                losses.lovasz_softmax_loss(images, labels),
                losses.charbonnier_loss(images, other, reduction="mean"),
            ]
        )

    return run


Matches = tuple[Tensor, Tensor]


def _on_a_plane(n: int) -> Matches:
    """Points and where a homography sends them."""
    points = torch.rand(n, 2) * 200
    matrix = torch.tensor([[1.1, 0.05, 3.0], [-0.04, 0.95, -2.0], [1e-4, -2e-4, 1.0]])
    sent = torch.cat([points, torch.ones(n, 1)], 1) @ matrix.T
    return points, sent[:, :2] / sent[:, 2:]


def _in_space(n: int) -> Matches:
    """Points at different depths, seen by a camera and by one beside it that is turned a little."""
    points = (torch.rand(n, 3) - 0.5) * torch.tensor([4.0, 4.0, 3.0]) + torch.tensor([0.0, 0.0, 5.0])
    turn = torch.tensor(0.1)
    rotation = torch.eye(3)
    rotation[0, 0] = rotation[2, 2] = turn.cos()
    rotation[0, 2], rotation[2, 0] = turn.sin(), -turn.sin()
    other = points @ rotation.T + torch.tensor([0.5, 0.1, 0.0])
    first, second = (200 * each[:, :2] / each[:, 2:] + 100 for each in (points, other))
    return first, second


def _ransac(model: str, matches: Callable[[int], Matches]) -> ModelCase:
    """On [n, 2] matches, a fifth of them wrong."""

    def make(scale: Scale, batch: int) -> Workload:
        from kornia.geometry import RANSAC

        n = (64 if scale == "small" else 512) * batch
        first, second = matches(n)
        second[: n // 5] = torch.rand(n // 5, 2) * 200
        ransac = RANSAC(model, inl_th=1.0, max_iter=10, seed=0)
        scaled = "64 matches for each of the batch" if scale == "small" else ""
        return Workload(ransac, (first, second), scaled=scaled)

    return ModelCase(f"RANSAC, {model}", make, infer_batches=(1, 4), train_batches=())


CASES = (
    _of_images("warp_affine", _affine),
    _of_images("warp_perspective", _perspective),
    _of_images("augmentation", _augmentation),
    _of_images("equalize_clahe", _clahe, channels=1),
    _of_images("morphology", _morphology),
    _of_images("losses", _losses),
    _of_images("median_blur", lambda kornia: lambda images: kornia.filters.median_blur(images, 5)),
    _of_images(
        "guided_blur", lambda kornia: lambda images: kornia.filters.guided_blur(images, images, 5, 1e-2)
    ),
    _ransac("homography", _on_a_plane),
    _ransac("fundamental", _in_space),
)
