"""What scripts ask before they choose a device: there is no CUDA here. On a graphics card minigrad runs by OpenCL."""


def is_available() -> bool:
    """False."""
    return False
