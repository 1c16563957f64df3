"""Whether this build of the native module fits the torch that is installed."""

from ._built import TORCH_VERSION


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split("+", maxsplit=1)[0].split(".")[:2])


def check_torch(installed: str) -> None:
    """Raise ``ImportError`` unless ``installed`` is of the torch minor that ``_C`` was built against.

    ATen's C++ ABI changes between minors; loading across them would end in an undefined symbol.
    """
    if _minor(installed) != _minor(TORCH_VERSION):
        raise ImportError(
            f"this mpsops was built for torch {'.'.join(_minor(TORCH_VERSION))} and cannot load into "
            f"torch {installed}: run `pip install --force-reinstall --no-deps mpsops` to build it for "
            f"your torch, or install torch {'.'.join(_minor(TORCH_VERSION))}"
        )
