"""Files: what is saved comes back to the last bit, or an error says why not; whatever happens to the file."""

import json
import os
import re
import subprocess
import sys
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad
from minigrad import Tensor, nn, optim, serialization

DTYPES = ["float32", "float64", "int32", "int64", "uint8", "bool"]


def same(x: Any, y: Any) -> bool:
    """Equal in types and bits, down to the last element."""
    if isinstance(x, Tensor):
        a, b = x.numpy(force=True), y.numpy(force=True)
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(x, dict):
        return isinstance(y, dict) and repr(list(x)) == repr(list(y)) and all(same(x[key], y[key]) for key in x)
    if isinstance(x, (list, tuple)):
        return type(x) is type(y) and len(x) == len(y) and all(map(same, x, y))
    return type(x) is type(y) and repr(x) == repr(y)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.safetensors"


# --- there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_of_every_kind(dtype: str, device: str, path: Path) -> None:
    x = minigrad.arange(12).reshape(3, 4).to(dtype)
    tensors = {"x": x, "transposed": x.T, "strided": x[::2, 1:], "row": x[1], "scalar": x[1, 2], "none": x[:0]}
    tensors["broadcast"] = x[0].broadcast_to((2, 4))
    minigrad.save(tensors, path)
    for place in ("reference", device):
        loaded = minigrad.load(path, place)
        assert same(tensors, loaded)
        assert {tensor.device.name for tensor in loaded.values()} == {place}
    assert minigrad.load(path)["x"].device.name == "cpu"


def test_parameters_and_results_become_plain_tensors(device: str, path: Path) -> None:
    weight = nn.Parameter(minigrad.ones(2))
    minigrad.save([weight, weight * 2, weight], path)
    loaded = minigrad.load(path, device)
    assert [tensor.tolist() for tensor in loaded] == [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    assert not any(tensor.requires_grad for tensor in loaded)
    loaded[0].fill_(5.0)  # memory of its own, which may be written
    assert loaded[2].tolist() == [1.0, 1.0]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.text() | st.integers() | st.booleans() | st.none()
TENSORS = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, min_side=0, max_side=3)).map(minigrad.tensor)


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.lists(inner, max_size=3)
    return lists | lists.map(tuple) | st.dictionaries(KEYS, inner, max_size=3)


@given(st.recursive(SCALARS | TENSORS, containers, max_leaves=8))
@settings(max_examples=300)
def test_any_nesting_comes_back(tmp_path_factory: pytest.TempPathFactory, obj: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    try:
        minigrad.save(obj, path)
    except ValueError as error:  # two paths of one spelling, or text that no file can hold
        assert re.search("the name of two tensors|surrogates not allowed", str(error)), error  # noqa: PT017
        return
    assert same(obj, minigrad.load(path))


def test_what_changes_on_the_way(path: Path) -> None:
    numbers = {"a": np.float32(1.5), "b": np.int64(2), "c": np.bool_(True), "d": OrderedDict(e=np.float64(0.1))}
    minigrad.save(numbers, path)
    assert same(minigrad.load(path), {"a": 1.5, "b": 2, "c": True, "d": {"e": 0.1}})


def test_a_state_dict_keeps_its_names_in_the_file(path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(2, 1))
    minigrad.save(net.state_dict(), path)
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = safetensors.load_file(path)
    assert arrays.keys() == net.state_dict().keys()
    np.testing.assert_array_equal(arrays["0.weight"], net[0].weight.detach().numpy())
    assert list(minigrad.load(path)) == list(net.state_dict())


def test_a_file_of_others_is_a_dict_by_name(path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"w": np.ones((2, 3), np.float32), "n": np.array(7)}, path, metadata={"format": "pt"})
    assert same(minigrad.load(path), {"n": minigrad.tensor(7), "w": minigrad.ones(2, 3)})


def test_a_checkpoint_of_everything(device: str, path: Path) -> None:
    net = nn.Linear(2, 2)
    optimizer = optim.Adam(net.parameters(), amsgrad=True)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2)
    net(minigrad.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule.step()
    states = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
              "rng": minigrad.get_rng_state(), "epoch": 3, "history": [(0.5, 0.25)]}  # fmt: skip
    minigrad.save(states, path)
    assert same(minigrad.load(path, device), states)


# --- writing -------------------------------------------------------------------------------------------------


def test_the_file_has_the_permissions_that_open_would_give(path: Path) -> None:
    plain = path.with_name("plain")
    before = os.umask(0o027)
    try:
        minigrad.save({}, path)
        plain.write_bytes(b"")
    finally:
        os.umask(before)
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o604)
    minigrad.save({"x": 1}, path)
    assert path.stat().st_mode & 0o777 == 0o604 or os.name == "nt"


@pytest.mark.skipif(os.name == "nt", reason="needs a privilege there")
def test_a_link_leads_to_the_file_that_is_replaced(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    minigrad.save({"x": 1}, link)
    assert link.is_symlink()
    assert minigrad.load(path) == minigrad.load(str(link)) == {"x": 1}


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("step", ["fsync", "Path.replace", "Path.chmod"])
def test_the_old_file_stays_until_the_new_is_whole(step: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minigrad.save({"x": minigrad.ones(3)}, path)

    def interrupted(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(f"minigrad.serialization.{step}", interrupted)
    with pytest.raises(Interrupted):
        minigrad.save({"x": minigrad.zeros(3)}, path)
    monkeypatch.undo()
    assert minigrad.load(path)["x"].tolist() == [1.0, 1.0, 1.0]
    assert list(path.parent.iterdir()) == [path]


def nested(levels: int) -> list:
    inner: list = []
    for _ in range(levels):
        inner = [inner]
    return inner


def endless() -> list:
    inner: list = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    ("obj", "error", "message"),
    [
        (lambda: {"a": {"b": object()}}, TypeError, r"save: 'a\.b' is a object; stored are tensors"),
        (lambda: {"a": np.ones(2)}, TypeError, r"save: 'a' is a ndarray; .*minigrad\.tensor\(array\)"),
        (lambda: nn.Linear(1, 1), TypeError, r"save: '' is a Linear; .* save the state_dict\(\)"),
        (lambda: {(1, 2): 3}, TypeError, r"save: the key \(1, 2\) at '' must be a string, a number"),
        (lambda: {"a.b": minigrad.ones(1), "a": {"b": minigrad.ones(1)}}, ValueError, r"'a\.b' would be the name"),
        (lambda: {"__metadata__": minigrad.ones(1)}, ValueError, r"'__metadata__' .* or is reserved"),
        (endless, ValueError, r"nested more than 100 levels deep, or contains itself"),
        (lambda: nested(101), ValueError, r"nested more than 100 levels deep"),
        (lambda: nn.LazyLinear(1).weight, RuntimeError, r"has no shape yet"),
    ],
)
def test_what_cannot_be_saved_leaves_no_file(obj, error: type[Exception], message: str, path: Path) -> None:
    with pytest.raises(error, match=message):
        minigrad.save(obj(), path)
    assert list(path.parent.iterdir()) == []


def test_the_deepest_nesting_comes_back(path: Path) -> None:
    minigrad.save(nested(100), path)
    assert minigrad.load(path) == nested(100)


def test_the_usual_errors_of_files(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        minigrad.load(path)
    with pytest.raises(OSError):  # noqa: PT011  (of a class that depends on the system)
        minigrad.load(path.parent)
    with pytest.raises(FileNotFoundError, match=r"'.*no'$"):
        minigrad.save({}, path / "in" / "no" / "directory")
    path.mkdir()
    with pytest.raises(OSError):  # noqa: PT011
        minigrad.save({}, path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["save({}, 'x')", "load(__file__)"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(call: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['safetensors'] = None; __file__ = {__file__!r}; import minigrad as m; m.{call}"
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parent.parent)},
    )  # fmt: skip
    assert "RuntimeError: save and load need the package safetensors" in done.stderr
    assert "pip install 'minigrad-learn[files]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


# --- damaged and hostile files -------------------------------------------------------------------------------

OBJ = {"model": {"w": minigrad.tensor([[1.0, 2.0], [3.0, 4.0]]), "flag": minigrad.tensor([True, False])},
       "step": 7, "name": "x", "parts": (minigrad.tensor(5), [None, 2.5])}  # fmt: skip


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "file"
    minigrad.save(OBJ, path)
    return path.read_bytes()


def check(data: bytes, directory: Path) -> None:
    """The same content, or one clear error; and nothing beside the file."""
    path = directory / "damaged"
    path.write_bytes(data)
    try:
        assert same(minigrad.load(path), OBJ)
    except ValueError as error:
        assert f"load: {path} is damaged, or no safetensors file " in str(error)  # noqa: PT017
    assert list(directory.iterdir()) == [path]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def test_every_byte_matters(content: bytes, directory: Path) -> None:
    for position in range(len(content)):
        for flipped in (1, 0x80, 0xFF):
            check(content[:position] + bytes([content[position] ^ flipped]) + content[position + 1 :], directory)


def test_truncated_at_every_byte(content: bytes, directory: Path) -> None:
    for length in range(len(content)):
        check(content[:length], directory)


@given(st.data())
@settings(max_examples=500)
def test_any_other_damage(content: bytes, directory: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    check(content[:start] + data.draw(st.binary(max_size=64)) + content[end:], directory)


@given(st.binary(max_size=200))
def test_any_bytes(directory: Path, data: bytes) -> None:
    check(data, directory)


def made(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype: str, shape: list, start: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def document(text: str) -> bytes:
    """A file with this document and the checksum that belongs to it."""
    return made({"__metadata__": {"minigrad": text, "minigrad.crc32": f"{zlib.crc32(text.encode()):08x}"}})


HOSTILE = {
    "empty": b"",
    "length without header": made(b"", length=2**63),
    "huge length": made(b"{}", length=10**9),
    "no JSON": made(b"\xff\xfe"),
    "a list": made([1]),
    "overlapping": made({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, bytes(4)),
    "beyond the end": made({"a": entry("F32", [4], 0, 16)}, bytes(4)),
    "backwards": made({"a": entry("F32", [1], 4, 0)}, bytes(4)),
    "with a hole": made({"a": entry("F32", [1], 4, 8)}, bytes(8)),
    "more than is named": made({"a": entry("F32", [1], 0, 4)}, bytes(8)),
    "huge shape": made({"a": entry("F32", [2**40, 2**40], 0, 4)}, bytes(4)),
    "shape that overflows": made({"a": entry("F32", [2**63, 2], 0, 0)}),
    "empty, of a huge shape": made({"a": entry("F32", [0, 2**62, 2**62], 0, 0)}),
    "negative shape": made({"a": entry("F32", [-1], 0, 4)}, bytes(4)),
    "wrong size": made({"a": entry("F64", [1], 0, 4)}, bytes(4)),
    "unknown dtype": made({"a": entry("F3", [1], 0, 4)}, bytes(4)),
    "deep header": made(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "twice a name": made(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                         b'"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2)),
    "neither true nor false": made({"a": entry("BOOL", [2], 0, 2)}, b"\x01\x02"),
    "metadata that is no text": made({"__metadata__": {"minigrad": 1}}),
    "document without checksum": made({"__metadata__": {"minigrad": "1"}}),
    "checksum without document": made({"__metadata__": {"minigrad.crc32": "00000000"}}),
    "wrong checksum": made({"__metadata__": {"minigrad": "1", "minigrad.crc32": "00000000"}}),
    "document that is no JSON": document("{"),
    "deep document": document("[" * 100_000),
    "deep dicts": document('{"list":[' * 5000 + "]}" * 5000),
    "number of a million digits": document("1" * 1_000_000),
    "unknown container": document('{"set": []}'),
    "code": document('{"os.system": ["true"]}'),
    "two members": document('{"list": [], "tuple": []}'),
    "bare list": document("[1]"),
    "list of no list": document('{"list": "abc"}'),
    "key that is a list": document('{"dict": [[[1], 2]]}'),
    "key twice": document('{"dict": [["a", 1], ["a", 2]]}'),
    "no pair": document('{"dict": [["a"]]}'),
    "tensor that is not there": document('{"tensor": "a"}'),
    "tensor that is no name": document('{"tensor": ["a"]}'),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str, path: Path) -> None:
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=rf"load: {re.escape(str(path))} is damaged, or no safetensors file"):
        minigrad.load(path)


def test_a_tensor_without_a_place_in_the_document(path: Path) -> None:
    minigrad.save({"a": minigrad.ones(1)}, path)
    arrays = {"a": np.ones(1, np.float32), "b": np.ones(1, np.float32)}
    text = '{"tensor": "a"}'
    save = pytest.importorskip("safetensors.numpy").save_file
    save(arrays, path, {"minigrad": text, "minigrad.crc32": serialization._checksum(text, arrays)})
    with pytest.raises(ValueError, match=r"its document has no place for its tensors \['b'\]"):
        minigrad.load(path)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "I8", "U16", "F8_E4M3"])
def test_dtypes_that_minigrad_lacks_are_named(dtype: str, path: Path) -> None:
    size = 1 if "8" in dtype else 2
    path.write_bytes(made({"layer.weight": entry(dtype, [2], 0, 2 * size)}, bytes(2 * size)))
    with pytest.raises(ValueError, match=rf"'layer\.weight' is of dtype {dtype}, minigrad has float32, .*float\(\)"):
        minigrad.load(path)
