"""The house style that no linter knows: sizes, names, what a package's front may hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LINE_CHARS_MAX = 100
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FILE_BYTES_MAX = 1_000_000
BANNED_NAMES = {"utils.py", "helpers.py", "base2.py", "manager.py"}
# Written by machines, or by a foundation's lawyers.
UNTIDY_NAMES = {"requirements.lock", "LICENSE", "package-lock.json", "pnpm-lock.yaml"}
# Only where git is not there to say what belongs to the repository.
SKIPPED_NAMES = {
    *(".coverage", ".env", ".git", ".hypothesis", ".tidegate", ".venv"),
    *("__pycache__", "build", "dist", "htmlcov", "node_modules"),
}
TEXT_SUFFIXES = {
    *(".cfg", ".conf", ".css", ".html", ".ini", ".js", ".json", ".lock", ".md", ".py", ".sh"),
    *(".sql", ".toml", ".ts", ".tsx", ".txt", ".xml", ".yaml", ".yml", ""),
}
# A path from someone's machine; spelled in two halves, so that this file passes its own test.
MACHINE_PATHS = re.compile("|".join(f"(?<![\\w.])/{name}/" for name in ("work", "root", "Users")))

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def _tracked_by_git() -> list[Path] | None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name]


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in SKIPPED_NAMES or path.name.endswith("_cache"):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


@cache
def repository_files() -> tuple[Path, ...]:
    """Return the files that belong to the repository, with or without git."""
    tracked = _tracked_by_git()
    paths = list(_walk(ROOT)) if tracked is None else tracked
    return tuple(path for path in paths if path.is_file())


@cache
def python_files() -> tuple[Path, ...]:
    """Return the Python files of the repository."""
    return tuple(path for path in repository_files() if path.suffix == ".py")


@cache
def text_lines(path: Path) -> tuple[str, ...]:
    """Return a text file's lines."""
    return tuple(path.read_text(encoding="utf-8").split("\n"))


def text_files() -> Iterator[Path]:
    """Yield the text files that people write."""
    for path in repository_files():
        if path.suffix in TEXT_SUFFIXES and path.name not in UNTIDY_NAMES:
            yield path


def place(path: Path, line_number: int | None = None) -> str:
    """Return where something is, as an editor reads it."""
    relative = str(path.relative_to(ROOT))
    return relative if line_number is None else f"{relative}:{line_number}"


def body_line_count(function: FunctionNode) -> int:
    """Return the lines of a function without its decorators and docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def is_allowed_in_init(node: ast.stmt) -> bool:
    """Return whether a statement may stand in a package's `__init__.py`."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.AnnAssign(target=ast.Name(id="__all__")):
            return True
        case _:
            return False


def test_repository_holds_the_files_that_this_module_reads() -> None:
    """A test over an empty list of files would pass for ever."""
    names = {place(path) for path in repository_files()}

    assert {"pyproject.toml", "requirements.lock", "tests/arch/test_tidy.py"} <= names


def test_python_lines_are_at_most_100_characters() -> None:
    """Ruff counts too, but not in strings that it was told to leave alone."""
    too_long = [
        place(path, number)
        for path in python_files()
        for number, line in enumerate(text_lines(path), start=1)
        if len(line) > LINE_CHARS_MAX
    ]

    assert too_long == []


def test_python_files_are_at_most_500_lines() -> None:
    """A file that does not fit in a head is two files."""
    too_long = [
        f"{place(path)} has {count} lines"
        for path in python_files()
        if (count := len(path.read_bytes().splitlines())) > FILE_LINES_MAX
    ]

    assert too_long == []


def test_functions_are_at_most_70_lines_without_their_docstring() -> None:
    """A function that does not fit on a screen hides its branches."""
    too_long = [
        f"{place(path, node.lineno)} {node.name} has {count} lines"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path)))
        if isinstance(node, FunctionNode) and (count := body_line_count(node)) > FUNCTION_LINES_MAX
    ]

    assert too_long == []


def test_file_names_say_what_is_inside() -> None:
    """A module named for nothing collects everything."""
    banned = [place(path) for path in python_files() if path.name in BANNED_NAMES]

    assert banned == []


def test_package_fronts_hold_no_code() -> None:
    """An `__init__.py` is a docstring, imports and `__all__`: importing must do nothing."""
    wrong = [
        place(path, node.lineno)
        for path in python_files()
        if path.name == "__init__.py"
        for node in ast.parse(path.read_bytes(), filename=str(path)).body
        if not is_allowed_in_init(node)
    ]

    assert wrong == []


@pytest.mark.parametrize("suffix", [".py", ".md", ".toml", ".yaml", ".yml", ".sh"])
def test_text_ends_with_one_newline_and_has_no_trailing_blanks(suffix: str) -> None:
    """Diffs show what changed and nothing else."""
    wrong = []
    for path in text_files():
        lines = text_lines(path)
        if path.suffix != suffix or lines == ("",):
            continue
        if lines[-1] != "" or (len(lines) > 1 and lines[-2] == ""):
            wrong.append(f"{place(path)} (end of file)")
        wrong += [place(path, i) for i, line in enumerate(lines, start=1) if line != line.rstrip()]

    assert wrong == []


def test_files_name_no_path_of_one_machine() -> None:
    """What names a developer's folder works on that developer's machine only."""
    wrong = [
        place(path, number)
        for path in repository_files()
        if path.suffix in TEXT_SUFFIXES
        for number, line in enumerate(text_lines(path), start=1)
        if MACHINE_PATHS.search(line)
    ]

    assert wrong == []


def test_files_are_small() -> None:
    """Data beyond a megabyte has its place outside the repository."""
    big = [place(path) for path in repository_files() if path.stat().st_size > FILE_BYTES_MAX]

    assert big == []


def test_requirements_lock_pins_hashes_and_names_no_address() -> None:
    """The lock says what to install; where from is the machine's business."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    requirements = re.findall(r"^[a-z0-9][^\n]*$", text, flags=re.MULTILINE)

    assert "://" not in text
    assert "file:" not in text
    assert requirements
    assert [line for line in requirements if "==" not in line or not line.endswith("\\")] == []


def test_uv_lock_is_not_part_of_the_repository() -> None:
    """It records download addresses; requirements.lock is the lock."""
    assert "uv.lock" not in {path.name for path in repository_files()}
