"""The workflows agree with pyproject.toml, and their scripts do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from script_module import load

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / ".github/scripts"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


versions = load(".github/scripts/versions.py")
compare_ops = load(".github/scripts/compare_ops.py")


def jobs() -> dict[str, dict[str, Any]]:
    """By `workflow.job`, for those that run on a machine."""
    found = {}
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            if "uses" not in job:
                found[f"{path.stem}.{name}"] = job
    return found


JOBS = jobs()
OLDEST, NEWEST = versions.torches()[0], versions.torches()[-1]
TORCH_RANGE = f"torch>={OLDEST},<2.{int(NEWEST.removeprefix('2.')) + 1}"


def matrix(job: str) -> dict[str, Any]:
    return JOBS[job]["strategy"]["matrix"]


def test_supported_versions() -> None:
    project = versions.PROJECT
    assert f">={versions.pythons()[0]}" == project["requires-python"]
    assert TORCH_RANGE in project["dependencies"]


def test_matrices_are_what_pyproject_supports() -> None:
    assert matrix("ci.macos")["torch"] == versions.torches()
    assert matrix("ci.try-wheel")["python"] == versions.pythons()
    # The oldest and the newest, at least.
    assert {row["python"] for row in matrix("ci.linux")["include"]} > {
        versions.pythons()[0],
        versions.pythons()[-1],
    }
    assert {row["torch"] for row in matrix("ci.macos")["include"]} == {NEWEST}


def test_wheels_are_built_for_every_python() -> None:
    settings = versions.tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert settings["cibuildwheel"]["build"] == [f"cp{v.replace('.', '')}-*" for v in versions.pythons()]
    target = settings["cibuildwheel"]["macos"]["environment"]["MACOSX_DEPLOYMENT_TARGET"]
    (override,) = settings["scikit-build"]["overrides"]
    assert target == override["cmake"]["define"]["CMAKE_OSX_DEPLOYMENT_TARGET"]


def test_torch_on_linux_is_that_of_the_makefile() -> None:
    (torch,) = re.findall(r"^TORCH \?= (torch==\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    linux = [name for name, job in JOBS.items() if "TORCH" in job.get("env", {}) and name != "ci.macos"]
    assert linux == ["ci.linux", "ci.cross-mac"]
    assert {JOBS[name]["env"]["TORCH"] for name in linux} == {f"{torch}+cpu"}


@pytest.mark.parametrize("name", JOBS)
def test_job(name: str) -> None:
    """It cannot hang for hours, and what it runs is in the repository."""
    assert "timeout-minutes" in JOBS[name]
    for step in JOBS[name]["steps"]:
        for script in re.findall(r"\.github/scripts/[\w.]+", step.get("run", "")):
            assert (ROOT / script).is_file()
            assert script.endswith(".py") or os.access(ROOT / script, os.X_OK)


def test_only_the_two_jobs_of_a_release_may_write() -> None:
    writing = {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job}
    assert writing == {"release.github": {"contents": "write"}, "release.pypi": {"id-token": "write"}}
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}, path.name


def test_nothing_is_published_to_pypi_by_accident() -> None:
    pypi = JOBS["release.pypi"]
    assert pypi["if"] == "${{ vars.PUBLISH_TO_PYPI == 'true' }}"
    assert pypi["environment"]["name"] == "pypi"
    for name, job in JOBS.items():
        assert name == "release.pypi" or "pypi-publish" not in str(job)


def test_tag() -> None:
    version = versions.PROJECT["version"]
    versions.main(["tag", f"v{version}"])
    for tag in (version, f"v{version}.1", "v0"):
        with pytest.raises(SystemExit, match=f"tag must be v{re.escape(version)}, .* got {re.escape(tag)}"):
            versions.main(["tag", tag])


def row(name: str, state: str) -> dict[str, str]:
    return {"name": f"aten::{name}", "family": name, "policy": "missing", "state": state}


def test_ops_that_became_native() -> None:
    before = [row("mode", "enabled"), row("pdist", "native"), row("rrelu", "enabled"), row("old", "enabled")]
    after = [row("mode", "native"), row("pdist", "native"), row("rrelu", "enabled"), row("old", "absent")]
    text = compare_ops.compare(before, after)
    assert text.count("* `") == 2
    assert "steps aside\n\n* `aten::mode` (mode)" in text
    assert "Gone from torch\n\n* `aten::old` (old)" in text
    assert "4 overloads in mpsops, 2 of them native" in text
    assert "comes back\n\n* `aten::mode`" in compare_ops.compare(after, before)


def test_ops_that_did_not_change() -> None:
    rows = [row("mode", "enabled"), row("pdist", "native")]
    assert compare_ops.compare(rows, rows).endswith("\n\nNothing changed.")


def test_ops_from_the_registry(tmp_path: Path) -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "mpsops", "ops", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (tmp_path / "ops.json").write_text(listing.stdout)
    arguments = [str(tmp_path / "ops.json")] * 2
    text = subprocess.check_output([sys.executable, SCRIPTS / "compare_ops.py", *arguments], text=True)
    assert "Nothing changed." in text


def run_with(tmp_path: Path, script: str, tools: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a copy of the script, in a repository that has nothing else, with stand-ins for its tools."""
    copy = tmp_path / ".github/scripts" / script
    copy.parent.mkdir(parents=True)
    copy.write_text((SCRIPTS / script).read_text())
    for name, body in tools.items():
        tool = tmp_path / name
        tool.parent.mkdir(parents=True, exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", copy], capture_output=True, text=True, check=False, timeout=60, env=environment
    )


BANNER = "echo Metal API Validation Enabled; echo Metal GPU Validation Enabled >&2"


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (f"{BANNER}; echo 9 passed", None),
        ("echo Metal API Validation Enabled; echo 9 passed", "GPU validation was not on"),
        (f"{BANNER}; exit 2", ""),
        (
            f"{BANNER}; echo 'Invalid device store at offset 8, executing kernel function: \"mode\"' >&2",
            "offset 8",
        ),
    ],
    ids=["sound", "not on", "failed", "out of bounds"],
)
def test_metal_validation(tmp_path: Path, make: str, complaint: str | None) -> None:
    result = run_with(tmp_path, "validate_metal.sh", {"bin/make": make})
    assert (result.returncode == 0) == (complaint is None)
    assert (complaint or "") in result.stderr


@pytest.mark.parametrize("broken", [None, "b"])
def test_kernels_are_all_compiled(tmp_path: Path, broken: str | None) -> None:
    tools = {
        ".venv/bin/python": 'touch "$4/a.metal" "$4/b.metal" "$4/c.metal"',
        "bin/xcrun": f'for last; do :; done; case "$last" in */{broken}.metal) exit 1;; esac',
    }
    result = run_with(tmp_path, "compile_kernels.sh", tools)
    assert result.returncode == (0 if broken is None else 1)
    assert result.stdout.split("==")[1:] == [" a.metal\n", " b.metal\n", " c.metal\n"]


def test_nightly_leaves_pyproject_as_it_was(tmp_path: Path) -> None:
    """With its time: make would install again, without the nightly."""
    project = tmp_path / "pyproject.toml"
    project.write_text((ROOT / "pyproject.toml").read_text())
    os.utime(project, (1e9, 1e9))
    tools = {"bin/make": "grep '^dependencies' pyproject.toml", ".venv/bin/python": "true"}
    result = run_with(tmp_path, "nightly_torch.sh", tools)
    assert result.returncode == 0
    assert re.findall(r'torch[^"]*', result.stdout) == [TORCH_RANGE, f"torch>={OLDEST},<2.99"]
    assert project.read_text() == (ROOT / "pyproject.toml").read_text()
    assert project.stat().st_mtime == 1e9
