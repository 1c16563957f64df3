"""Programs without their random masks: no two devices draw the same ones."""

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode


class WithoutDropout(TorchFunctionMode):
    """Inside, every dropout of ``torch.nn.functional`` passes its input on, that of attention included."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if "dropout" in getattr(func, "__name__", ""):
            return args[0]
        if "dropout_p" in kwargs:
            kwargs["dropout_p"] = 0.0
        return func(*args, **kwargs)
