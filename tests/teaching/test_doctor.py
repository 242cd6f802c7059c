"""doctor(): what it finds is so, and each fault comes with the command that mends it."""

import builtins
import importlib
import importlib.util
import shutil
import sys
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.teaching import doctor as module
from minigrad.teaching.doctor import Finding, Report


def finding(subject: str) -> Finding:
    return next(each for each in minigrad.doctor() if each.subject == subject)


def test_this_machine_is_well() -> None:
    report = minigrad.doctor()
    assert report.well, report
    subjects = [each.subject for each in report]
    assert subjects[:3] == ["Python", "NumPy", "BLAS"]
    assert {"compiler", "kernels", "OpenMP", "OpenCL", "safetensors", "torch"} <= set(subjects)
    assert all(each.remedy for each in report if not each.well)
    assert str(report).splitlines()[-1] == "All is well."
    assert "ok     NumPy" in str(report)
    assert np.__version__ in finding("NumPy").found


def test_kernels_and_threads_are_those_in_use() -> None:
    assert ", ".join(minigrad.backends.cpu.instruction_sets()) in finding("kernels").found
    openmp = importlib.import_module("minigrad_ext.machine").openmp()
    assert (finding("OpenMP").well is True) == bool(openmp)
    threads = minigrad.get_num_threads()
    if openmp:
        assert f"{threads} thread{'s' * (threads > 1)}" in finding("OpenMP").found


def test_old_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    assert (finding("Python").well, finding("Python").remedy[:21]) == (False, "install Python 3.11 o")
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert (finding("NumPy").well, finding("NumPy").remedy) == (False, "pip install 'numpy>=2.0'")
    report = minigrad.doctor()
    assert not report.well
    assert str(report).splitlines()[-1] == "To be mended: Python, NumPy."
    assert repr(report).endswith("faults>")


@pytest.mark.parametrize(
    ("platform", "tools", "remedy"),
    [
        ("linux", ["apt-get"], "sudo apt-get install build-essential python3-dev"),
        ("linux", ["dnf"], "sudo dnf install gcc python3-devel"),
        ("linux", [], "install gcc or clang with the package manager of the system"),
        ("darwin", [], "xcode-select --install"),
        ("win32", [], "winget install Microsoft.VisualStudio.2022.BuildTools"),
    ],
)
def test_no_compiler(platform: str, tools: list[str], remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name in tools else None)
    (found,) = module._compiler()
    assert found.well is None, "the kernels are built: no fault"
    assert found.remedy.startswith(remedy)
    monkeypatch.setattr(module, "_extension_error", lambda: "gone")
    (found,) = module._compiler()
    assert found.well is False


def test_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_extension_error", lambda: "No module named 'minigrad_ext.direct'")
    (found,) = module._kernels()
    assert found.well is False
    assert "No module named 'minigrad_ext.direct'" in found.found
    assert found.remedy.startswith("pip install .")


def test_why_the_kernels_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._extension_error() is None
    load = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "minigrad_ext":
            raise ImportError("cannot open shared object file")
        return load(name, *rest)

    monkeypatch.delitem(sys.modules, "minigrad.backends.extension")
    monkeypatch.setattr(builtins, "__import__", refuse)
    assert module._extension_error() == "cannot open shared object file"


@pytest.mark.parametrize(("platform", "remedy"), [("linux", "MINIGRAD_OPENMP=1 pip"), ("darwin", "brew install")])
def test_kernels_without_openmp(platform: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("minigrad_ext.machine"), "openmp", lambda: 0)
    monkeypatch.setattr(sys, "platform", platform)
    found = finding("OpenMP")
    assert found.well is None
    assert found.remedy.startswith(remedy)


def test_no_pyopencl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    (found,) = module._opencl()
    assert (found.well, found.remedy) == (None, "pip install 'minigrad-learn[opencl]'")
    remedies = {each.subject: each.remedy for each in module._extras()}
    assert remedies["safetensors"] == "pip install 'minigrad-learn[files]'"
    assert remedies["torch"] == "pip install torch"


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyopencl")

    def refuse(name: str) -> Any:
        raise RuntimeError("device 'opencl': there is no OpenCL platform (PLATFORM_NOT_FOUND_KHR). On Linux x86-64, "
                           "pip install 'minigrad-learn[opencl]' brings PoCL.")

    monkeypatch.setattr(module, "get_backend", refuse)
    found = list(module._opencl())[-1]
    assert found.well is None
    assert found.found == "there is no OpenCL platform (PLATFORM_NOT_FOUND_KHR)"
    assert found.remedy == "On Linux x86-64, pip install 'minigrad-learn[opencl]' brings PoCL."


def test_a_slow_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 10.0])
    monkeypatch.setattr(module, "perf_counter", lambda: next(ticks))
    found = list(module._numpy())[1]
    assert found.well is None
    assert "0 GFLOP/s" in found.found
    assert "pip install --force-reinstall numpy" in found.remedy


def test_findings_as_text() -> None:
    findings = [("one", True, "here"), ("two", None, "not here", "get it"), ("three", False, "bad", "mend")]
    report = Report([Finding(*each) for each in findings])
    assert str(report).splitlines() == [
        "ok     one            here",
        "--     two            not here",
        "                      mend it: get it",
        "FAULT  three          bad",
        "                      mend it: mend",
        "To be mended: three.",
    ]
