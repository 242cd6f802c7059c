"""The notebook runs on every device, and the outputs stored in it are those of today.

    python tests/examples/test_notebook.py            executes it on the CPU and stores the outputs
"""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import minigrad

NOTEBOOK = Path(__file__).parents[2] / "examples" / "convolutions_for_images.ipynb"

pytestmark = pytest.mark.skipif(not NOTEBOOK.exists(), reason="the tests run outside the checkout")


class ThisInterpreter(AsyncKernelManager):
    """Starts kernels in the interpreter that runs the tests, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])


def read_notebook() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def execute(notebook: nbformat.NotebookNode, device: str) -> None:
    """Runs all cells in a new kernel that imports the minigrad under test; raises what a cell raises."""
    environment = {**os.environ, "MINIGRAD_DEVICE": device, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    client = NotebookClient(notebook, kernel_manager_class=ThisInterpreter, timeout=120, record_timing=False)
    client.execute(env=environment)


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What each code cell printed and returned, without the pictures."""
    return [
        "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.filterwarnings("ignore:Proactor event loop")  # a detour that Jupyter takes on Windows
def test_runs_on(device: str) -> None:
    notebook = read_notebook()
    stored = texts(notebook)
    execute(notebook, device)
    computed = texts(notebook)
    assert f"computing on {device}" in computed[0]
    if device == "cpu":
        assert computed == stored, "the stored outputs are old; store new ones: python tests/examples/test_notebook.py"


def test_stored_outputs_are_of_one_run_from_the_top_without_errors() -> None:
    cells = [cell for cell in read_notebook().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds <= {"stream", "display_data", "execute_result"}
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) >= 6
    assert all("assert" in "".join(cell.source for cell in cells[n : n + 2]) for n in range(3, len(cells) - 1))


def test_is_small_and_says_nothing_about_the_machine() -> None:
    assert NOTEBOOK.stat().st_size < 300_000
    notebook = read_notebook()
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(cell.metadata == {} for cell in notebook.cells)


if __name__ == "__main__":
    executed = read_notebook()
    execute(executed, "cpu")
    executed.metadata.language_info = {"name": "python"}  # without the version of this interpreter
    nbformat.write(executed, NOTEBOOK)
