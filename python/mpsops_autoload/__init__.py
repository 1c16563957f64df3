"""What PyTorch runs at the end of ``import torch`` (entry point group ``torch.backends``).

With ``MPSOPS_SIMULATOR=1`` programs and tests that never mention mpsops get the simulated device. Apart from
the package, so that without the variable nothing of it is imported.
"""

import os


def autoload() -> None:
    """Import mpsops, which installs the simulator, if the environment asks for it."""
    if os.environ.get("MPSOPS_SIMULATOR", "0") not in {"", "0"}:
        import mpsops  # noqa: F401
