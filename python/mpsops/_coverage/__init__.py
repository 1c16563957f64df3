"""What happens to each ATen op on MPS: in the whole of torch, and in one model."""
