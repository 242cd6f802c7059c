"""Comparisons with PyTorch: of functions of a namespace `m`, run once with minigrad for it and once with torch."""
