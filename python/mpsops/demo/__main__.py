"""The demo in five steps; exit status 1 if the network does not learn or the devices disagree."""

import argparse
import sys
import time

import torch
from rich.console import Console

import mpsops
from mpsops.demo import program, stock
from mpsops.demo.show import Show

ACCURACY = 0.95
# Largest |mps - cpu| / |cpu| of a loss. Two correct float32 runs drift apart by rounding alone.
TOLERANCE = 1e-3


def choose_device() -> str:
    """Make sure that there is an ``mps`` device with mpsops' kernels on it; says which."""
    if sys.platform == "darwin":
        mpsops.enable()
        return "the GPU of this Mac"
    from mpsops import simulator

    simulator.install()
    mpsops.enable()
    return "a simulated mps device: the Metal kernels run on this computer's CPU"


def play(show: Show, device: str, epochs: int) -> bool:
    """All steps; whether every check passed."""
    show.opening(device)
    show.step(f"A PyTorch program: LeNet-5 learns handwritten digits ({stock.PROGRAM.name}, in part)")
    show.source()

    show.step("Stock torch cannot run it on mps")
    failure = stock.run_program()
    if failure:
        show.failure(failure)
    else:
        show.note(f"torch {torch.__version__} can: all ops of the program have come to be there.")

    show.step("import mpsops, and the same program trains")
    mpsops.reset_counts()
    with show.progress("training on mps", epochs * program.STEPS_PER_EPOCH) as on_step:
        trained = program.run("mps", epochs, on_step=on_step)
    counted = [row for row in mpsops.ops() if row.calls]
    learned = trained.accuracy > ACCURACY
    show.verdict(
        learned,
        f"{trained.accuracy:.1%} of {program.TEST_IMAGES} digits that it was not trained on are classified "
        f"correctly (asked: more than {ACCURACY:.0%})",
    )

    show.step("The losses are those of the CPU")
    cpu = program.run("cpu", 1, noise=False)
    with stock.Recorder(frozenset(row.name for row in counted)) as recorder:
        mps = program.run("mps", 1, noise=False)
    show.losses(cpu.losses, mps.losses)
    worst = max(abs(m - c) / abs(c) for c, m in zip(cpu.losses, mps.losses, strict=True))
    agreed = worst <= TOLERANCE
    show.verdict(
        agreed,
        f"largest relative difference in {len(cpu.losses)} steps: {worst:.1e} (asked: at most "
        f"{TOLERANCE:.0e}); same initial weights and batches, rrelu's random slope fixed",
    )

    show.step("The ops that made the difference")
    show.ops(counted, stock.replay(recorder))
    show.console.print(
        "Stock torch was given the first of these calls again, with the same arguments.", style="dim"
    )
    return learned and agreed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mpsops.demo", description=__doc__)
    parser.add_argument("--epochs", type=int, default=12, help="how long to train (default: %(default)s)")
    parser.add_argument("--svg", metavar="FILE", help="save what was printed as a picture")
    options = parser.parse_args()
    begin = time.perf_counter()
    console = Console(record=options.svg is not None, highlight=False)
    good = play(Show(console), choose_device(), options.epochs)
    console.print(f"\n{'Done' if good else 'Failed'} in {time.perf_counter() - begin:.0f} s.")
    if options.svg:
        console.save_svg(options.svg, title="make demo")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
