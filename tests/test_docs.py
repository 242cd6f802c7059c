"""What people read is right: docs/from_pytorch.md names what is there and nothing else, its code runs, and every public
name explains itself.
"""

import ast
import functools
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from public_names import CLASSES, MODULES, members

import minigrad
from minigrad.absent import INSTEAD

PAGE = Path(__file__).parents[1] / "docs" / "from_pytorch.md"
ERRORS = Path(__file__).parent / "oracle" / "test_errors.py"

page = pytest.mark.skipif(not PAGE.exists(), reason="the tests run outside the checkout")


def section(title: str, level: int) -> str:
    """What stands on the page below a heading, up to the next of its level or above."""
    text = PAGE.read_text(encoding="utf-8")
    return re.split(rf"^#{{1,{level}}} ", text.partition(f"\n{'#' * level} {title}\n")[2], maxsplit=1, flags=re.M)[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def documented() -> dict[str, set[str]]:
    """By module or class the names that the page must have."""
    names = {home: set(its) for home, its in MODULES.items() if home != "autograd"}
    for home in ("Tensor", "nn.Module", "optim.Optimizer", "Generator"):
        names[home] = set(members(CLASSES[home])) | set(inspect.get_annotations(CLASSES[home]))
        names[home] = {name for name in names[home] if not name.startswith("_")}
    names["optim.lr_scheduler"] |= {name for name in vars(CLASSES["optim.lr_scheduler.LRScheduler"]) if name[0] != "_"}
    names["optim.Optimizer"] |= {"param_groups", "state", "defaults"}
    names["nn.Module"] |= {"training", "append", "extend"}
    names[""] |= {"autograd.grad"}
    return names


@page
@pytest.mark.parametrize("home", documented())
def test_the_page_lists_what_is_there_and_nothing_else(home: str) -> None:
    listed = re.findall(r"`([\w.]+)`", section(f"minigrad.{home}".rstrip("."), 3))
    assert set(listed) - {"None", "...", "grad_fn"} == documented()[home]
    if home not in ("Tensor", "nn.Module"):
        assert len(set(listed)) == len(listed), "a name is there twice"


@page
def test_what_is_said_not_to_be_there_is_not() -> None:
    rows = re.findall(r"^\| (`.*?) \|", section("What is not there", 2), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert len(names) > 80
    homes = {"torch": minigrad, "F": minigrad.nn.functional, "lr_scheduler": minigrad.optim.lr_scheduler}
    for name in names:
        home, *path, last = name.split(".")
        owner = functools.reduce(getattr, path, homes.get(home) or getattr(minigrad, home))
        assert not hasattr(owner, last), f"{name} is there"


@page
@pytest.mark.parametrize(
    ("table", "title"),
    [
        ("RAISES", "Where minigrad raises"),
        ("ACCEPTS", "What minigrad accepts beyond PyTorch"),
        ("DIFFERS", "Where results differ"),
    ],
)
def test_the_page_has_every_deliberate_difference(table: str, title: str) -> None:
    for node in ast.parse(ERRORS.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys)) if name == table:
                reasons = {ast.literal_eval(key) for key in keys if key is not None}
    assert set(re.findall(r"\*\*(.*?)\*\*", section(title, 2))) == reasons


@page
def test_the_script_of_the_page_learns(device: str) -> None:
    before, after = [line[1:] for line in blocks("diff")[0].splitlines()]
    script = blocks("python")[0]
    assert script.count(before) == 1
    names: dict[str, Any] = {}
    exec(compile(script.replace(before, after), str(PAGE), "exec"), names)
    assert names["accuracy"] > 0.9


@page
def test_the_function_of_the_page(device: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[2], str(PAGE), "exec"), names)
    x = minigrad.tensor([1.0, -2.0], requires_grad=True)
    y = names["cube"](x, 2.0)
    (dx,) = minigrad.grad(y.sum(), x, create_graph=True)
    assert (y.tolist(), dx.tolist()) == ([2.0, -16.0], [6.0, 24.0])
    assert minigrad.grad(dx.sum(), x)[0].tolist() == [12.0, -24.0]


def explained() -> dict[str, Any]:
    owners = {**MODULES, **{home: members(owner) for home, owner in CLASSES.items()}}
    return {
        f"{home}.{name}": value
        for home, its in owners.items()
        for name, value in its.items()
        if not name.startswith("_") and (callable(value) or isinstance(value, (property, staticmethod)))
    }


@pytest.mark.parametrize("name", explained())
def test_every_public_name_has_a_docstring(name: str) -> None:
    value = explained()[name]
    docstring = (value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)) or ""
    assert len(docstring) > 8
    assert docstring.rstrip()[-1] in ".:)", "ends in the middle of a sentence"


@page
def test_the_page_has_every_name_for_which_there_is_a_remedy() -> None:
    rows = re.findall(r"^\| (`.*?) \|", section("What is not there", 2), re.MULTILINE)
    names = {name.rpartition(".")[2] for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    assert sorted(set(INSTEAD) - names) == []
