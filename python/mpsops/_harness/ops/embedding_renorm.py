"""A table of embeddings, an eighth of whose rows are looked up."""

import torch


def calls(make, size):
    rows, columns = size.rows
    looked_up = make.integers(0, rows, max(1, rows // 8))
    yield torch.ops.aten.embedding_renorm_.default, (make.normal(rows, columns), looked_up, 1.0, 2.0), {}


bytes_moved = {
    # The rows that are looked up, read and written.
    "aten::embedding_renorm_": lambda args, outputs: (
        args[1].nbytes + 2 * args[1].numel() * args[0].shape[1] * args[0].itemsize
    ),
}
