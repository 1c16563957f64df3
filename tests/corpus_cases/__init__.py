"""Runs of published kernels, by collection: bound as their own host code binds them."""
