"""Comparisons with PyTorch. What is compared is always a function of a namespace `m`, run once as minigrad, once as torch."""
