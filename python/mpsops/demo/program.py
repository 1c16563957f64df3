"""LeNet-5 learns handwritten digits. Plain PyTorch: nothing in this file knows about mpsops.

``python program.py [device]`` trains on ``mps`` unless told otherwise.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEST_IMAGES = 360
BATCH = 64
STEPS_PER_EPOCH = (1797 - TEST_IMAGES) // BATCH
VIEWS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


class LeNet5(nn.Module):
    """After LeCun et al. 1998, for 28x28 images: an adaptive pool brings the last maps to their 5x5."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AdaptiveAvgPool2d(5),
            nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84),
        )  # fmt: skip
        self.rectifier = nn.RReLU()
        self.classifier = nn.Linear(84, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the 84 features that they come from."""
        embedding = self.rectifier(self.features(images))
        return self.classifier(embedding), embedding


def enlarge(scans: Tensor) -> Tensor:
    return F.interpolate(scans, size=(28, 28), mode="area")


def crowding(embedding: Tensor, labels: Tensor, distance: float = 4.0) -> Tensor:
    """How much the centres of the classes in a batch lack of keeping ``distance`` from each other."""
    order = labels.argsort(stable=True)
    _, counts = labels[order].unique_consecutive(return_counts=True)
    centres = torch.segment_reduce(embedding[order], "mean", lengths=counts)
    return F.relu(distance - torch.pdist(centres)).mean()


def objective(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    logits, embedding = model(images)
    return F.multi_margin_loss(logits, labels, p=2) + 0.1 * crowding(embedding, labels)


def classify(model: nn.Module, scans: Tensor) -> Tensor:
    """The digit that most of five slightly shifted views of a scan are taken for."""
    images = enlarge(scans)
    votes = [model(images.roll(shift, (2, 3)))[0].argmax(1) for shift in VIEWS]
    return torch.stack(votes).mode(0).values


@dataclass(frozen=True)
class Digits:
    """scikit-learn's 1797 handwritten digits, 8x8 pixels each."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def load(cls, device: str) -> "Digits":
        from sklearn.datasets import load_digits

        data = load_digits()
        scans = torch.tensor(data.images, dtype=torch.float32).div(16).unsqueeze(1)
        labels = torch.tensor(data.target)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
        return cls(
            train=(scans[train].to(device), labels[train].to(device)),
            test=(scans[test].to(device), labels[test].to(device)),
        )


@dataclass(frozen=True)
class Result:
    losses: list[float]
    accuracy: float


def run(
    device: str,
    epochs: int = 12,
    noise: bool = True,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Result:
    """Train, then measure the accuracy on images that were not trained on.

    Initial weights, batches and shifts are the same on every device. What is drawn on the device is not:
    ``noise=False`` fixes the slope of the rectifier, so that two devices can be compared step by step.
    """
    torch.manual_seed(0)
    host = torch.Generator().manual_seed(1)
    model = LeNet5().to(device)
    model.rectifier.train(noise)
    digits = Digits.load(device)
    scans, labels = digits.train
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * STEPS_PER_EPOCH)
    losses: list[float] = []
    for _ in range(epochs):
        batches = torch.randperm(len(labels), generator=host).to(device).split(BATCH)
        for batch in batches[:STEPS_PER_EPOCH]:
            shift = torch.randint(-1, 2, (2,), generator=host).tolist()
            loss = objective(model, enlarge(scans[batch]).roll(shift, (2, 3)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            on_step(len(losses), losses[-1])
    model.eval()
    with torch.no_grad():
        correct = classify(model, digits.test[0]) == digits.test[1]
    return Result(losses, correct.float().mean().item())


if __name__ == "__main__":
    result = run(sys.argv[1] if len(sys.argv) > 1 else "mps")
    print(f"loss {result.losses[-1]:.4f}, test accuracy {result.accuracy:.1%}")
