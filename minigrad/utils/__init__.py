"""What training needs beside the network: data."""

from minigrad.utils import data

__all__ = ["data"]
