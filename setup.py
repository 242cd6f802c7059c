"""The compiled modules and their compiler flags; everything else about the package is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = [
    "direct", "elementwise", "functions", "grouped", "loops", "machine", "normalization", "optimizers", "pool",
    "products", "weight_grad", "window", "winograd",
]
OPENMP = {"unix": ["-fopenmp"], "msvc": ["/openmp"]}
OPTIMISE = {"unix": ["-O3", "-fno-math-errno", "-fno-trapping-math"], "msvc": ["/O2"]}

# Apple's clang comes without OpenMP: serial there, unless MINIGRAD_OPENMP=1 says that it is installed.
parallel = os.environ.get("MINIGRAD_OPENMP", "0" if sys.platform == "darwin" else "1") == "1"
# Such as "address,undefined": checks every access while the kernels run (gcc or clang); see tools/sanitize.sh.
sanitize = os.environ.get("MINIGRAD_SANITIZE")


class BuildExt(build_ext):
    """Adds the flags once the compiler is known: they differ between gcc or clang ("unix") and Microsoft's ("msvc").

    Modules are compiled side by side, as many as there are processors.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        compiler = self.compiler.compiler_type
        for extension in self.extensions:
            extension.extra_compile_args += OPTIMISE.get(compiler, [])
            if parallel:
                extension.extra_compile_args += OPENMP.get(compiler, [])
                extension.extra_link_args += OPENMP["unix"] if compiler != "msvc" else []
            if sanitize:  # without -fwrapv, with which Python's own flags would hide overflow
                flags = [f"-fsanitize={sanitize}", "-fno-sanitize-recover=all", "-fno-wrapv", "-g", "-O1"]
                extension.extra_compile_args += flags
                extension.extra_link_args += flags[:1]
        super().build_extensions()


def kernels(name: str) -> Extension:
    """minigrad_ext/<name>.pyx, which may include the headers beside it.

    abi3: compiled against the stable ABI of Python 3.11, one binary serves that version and all later ones.
    """
    return Extension(
        f"minigrad_ext.{name}",
        [f"minigrad_ext/{name}.pyx"],
        include_dirs=["minigrad_ext"],
        depends=[str(header) for header in Path("minigrad_ext").glob("*.h")],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
    )


setup(
    ext_modules=cythonize([kernels(name) for name in KERNELS], build_dir="build/cython", language_level=3),
    cmdclass={"build_ext": BuildExt},
    options={
        "bdist_wheel": {"py_limited_api": "cp311"},
        "build": {"build_base": "build/sanitize" if sanitize else "build"},  # neither is taken for the other
    },
)
