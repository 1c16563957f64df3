"""``mpsops tune`` and ``mpsops.enable("tuned")``: mpsops' kernels only where they won on this machine."""
