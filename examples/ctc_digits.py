"""Reading strings of handwritten digits: a small CRNN, trained with CTC on the ``mps`` device.

Nobody tells the network where in the picture a digit is, only which digits there are, in their order: CTC
loss sums over all the ways to place them. Stock torch 2.13 has no CTC loss on MPS. On a Mac this runs on the
GPU; on Linux the device is simulated. Needs scikit-learn, for its scans of digits.
"""

import itertools
import sys
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import mpsops

BLANK = 10
HEIGHT, WIDTH = 12, 72
DIGITS = range(3, 7)
BATCH = 32
STEPS_PER_EPOCH = 25
TEST_STRINGS = 256


@dataclass(frozen=True)
class Strings:
    """Pictures [n, 1, height, width], and the digits of all of them, one string after the other."""

    images: Tensor
    digits: Tensor
    lengths: list[int]

    def texts(self) -> list[str]:
        return ["".join(map(str, digits.tolist())) for digits in self.digits.split(self.lengths)]


class Writer:
    """Puts scans of single digits side by side, with gaps, jitter and noise."""

    def __init__(self, scans: Tensor, labels: Tensor, seed: int) -> None:
        self.scans = scans
        self.labels = labels
        self.generator = torch.Generator().manual_seed(seed)

    def randint(self, low: int, high: int, count: int) -> list[int]:
        return torch.randint(low, high, (count,), generator=self.generator).tolist()

    def write(self, count: int) -> Strings:
        images = torch.rand(count, 1, HEIGHT, WIDTH, generator=self.generator) * 0.1
        lengths = self.randint(DIGITS.start, DIGITS.stop, count)
        chosen = torch.randint(len(self.labels), (sum(lengths),), generator=self.generator)
        scans = iter(self.scans[chosen])
        for image, length in zip(images, lengths, strict=True):
            left = 0
            gaps, tops = self.randint(0, 5, length), self.randint(0, HEIGHT - 8 + 1, length)
            for gap, top in zip(gaps, tops, strict=True):
                left += gap
                image[0, top : top + 8, left : left + 8] += next(scans)
                left += 8
        return Strings(images.clamp(max=1), self.labels[chosen], lengths)


class Crnn(nn.Module):
    """Convolutions make features of every second column of pixels, an LSTM reads them in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d((2, 1)),
            nn.Conv2d(32, 64, 3, padding=(0, 1)), nn.BatchNorm2d(64), nn.ReLU(),
        )  # fmt: skip
        self.reader = nn.LSTM(64, 48, bidirectional=True)
        self.classifier = nn.Linear(96, BLANK + 1)

    def forward(self, images: Tensor) -> Tensor:
        """Log probabilities of the ten digits and the blank, [time, n, 11]."""
        columns = self.features(images).squeeze(2).permute(2, 0, 1)
        outputs, _ = self.reader(columns)
        return F.log_softmax(self.classifier(outputs), 2)


def choose_device() -> str:
    if sys.platform == "darwin":
        return "the GPU of this Mac"
    from mpsops import simulator

    simulator.install()
    mpsops.enable()
    return "a simulated mps device: the Metal kernels run on this computer's CPU"


def load_writers(seed: int) -> tuple[Writer, Writer]:
    """Of training and of test strings; no scan is in both."""
    from sklearn.datasets import load_digits

    data = load_digits()
    scans = torch.tensor(data.images, dtype=torch.float32) / 16
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    test, train = order[:360], order[360:]
    return Writer(scans[train], labels[train], seed), Writer(scans[test], labels[test], seed + 1)


def objective(model: nn.Module, strings: Strings) -> Tensor:
    log_probs = model(strings.images.to("mps"))
    lengths = torch.tensor(strings.lengths)
    steps = torch.full_like(lengths, log_probs.shape[0])
    return F.ctc_loss(log_probs, strings.digits.to("mps"), steps, lengths, blank=BLANK)


def decode(log_probs: Tensor) -> list[str]:
    """The likeliest labeling: repeats are one digit, unless there is a blank between them."""
    paths = log_probs.argmax(2).t().tolist()
    return ["".join(str(label) for label, _ in itertools.groupby(path) if label != BLANK) for path in paths]


def train(model: nn.Module, writer: Writer, steps: int, console: Console) -> list[float]:
    """The mean loss of each epoch."""
    optimizer = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    epochs: list[float] = []
    losses: list[float] = []
    for step in range(1, steps + 1):
        loss = objective(model, writer.write(BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) == STEPS_PER_EPOCH or step == steps:
            epochs.append(sum(losses) / len(losses))
            console.print(f"epoch {len(epochs):2}, step {step:3} of {steps}: loss {epochs[-1]:.4f}")
            losses = []
    return epochs


def show(console: Console, texts: list[str], decoded: list[str]) -> None:
    table = Table("digits", "decoded", "", box=None, header_style="dim")
    for text, found in zip(texts, decoded, strict=True):
        table.add_row(text, found, "" if text == found else "[red]wrong[/]")
    console.print(table)


def main(
    steps: Annotated[int, typer.Option(min=2 * STEPS_PER_EPOCH, help="How long to train.")] = 800,
    seed: Annotated[int, typer.Option(help="Of the strings and of the initial weights.")] = 0,
) -> None:
    """Train, read strings that were not trained on; exit status 1 if the loss did not fall."""
    console = Console(highlight=False)
    device = choose_device()
    console.print(f"mpsops {mpsops.__version__}, torch {torch.__version__}, on {device}.", soft_wrap=True)
    torch.manual_seed(seed)
    writer, test_writer = load_writers(seed)
    model = Crnn().to("mps")
    losses = train(model, writer, steps, console)

    strings = test_writer.write(TEST_STRINGS)
    model.eval()
    with torch.no_grad():
        decoded = decode(model(strings.images.to("mps")))
    texts = strings.texts()
    show(console, texts[:12], decoded[:12])
    right = sum(text == found for text, found in zip(texts, decoded, strict=True))
    console.print(f"{right / len(texts):.1%} of {len(texts)} strings of unseen digits are read right.")
    if losses[-1] >= losses[0]:
        console.print("[red]The loss did not fall.[/]")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
