"""Whether the mpsops that is installed loads into the torch that is installed, and runs a kernel."""

import torch

import mpsops

rows = {row.name: row for row in mpsops.ops()}
enabled = [row for row in rows.values() if row.state == "enabled"]
print(f"torch {torch.__version__}, {mpsops.__file__}: {len(enabled)} of {len(rows)} overloads enabled")

points = torch.randn(20, 3, requires_grad=True)
distances = torch.pdist(points.to("mps"))
torch.testing.assert_close(distances.cpu(), torch.pdist(points))
distances.sum().backward()

ran = {row.name: row.dispatches for row in mpsops.ops() if row.calls}
print("ran", ran)
for name in ("aten::_pdist_forward", "aten::_pdist_backward"):
    assert rows[name].state == "native" or ran[name] > 0, rows[name]
