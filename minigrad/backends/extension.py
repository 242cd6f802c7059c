"""The compiled kernels, or an error that says how to get them."""

from minigrad.backends.threads import waiting_briefly

try:
    with waiting_briefly():
        from minigrad_ext import direct as direct
        from minigrad_ext import elementwise as elementwise
        from minigrad_ext import functions as functions
        from minigrad_ext import grouped as grouped
        from minigrad_ext import loops as loops
        from minigrad_ext import machine as machine
        from minigrad_ext import normalization as normalization
        from minigrad_ext import optimizers as optimizers
        from minigrad_ext import pool as pool
        from minigrad_ext import products as products
        from minigrad_ext import window as window
        from minigrad_ext import winograd as winograd
except ImportError as error:
    raise ImportError(
        f'device "cpu" needs the compiled extension minigrad_ext, which cannot be imported ({error}). '
        "Build it with `pip install .` (or `python setup.py build_ext --inplace`) in the checkout, which needs a C "
        'compiler; or do without: device="reference" computes the same, slowly, in plain Python.'
    ) from error
