"""What a task tells its launcher."""

import time

import pytest

from tf1ref.cluster import contract


@pytest.fixture
def progress(tmp_path, monkeypatch):
    path = tmp_path / "worker-0.progress"
    monkeypatch.setenv(contract.PROGRESS, str(path))
    return path


def test_what_is_reported_is_read_at_once(progress):
    assert contract.reported(progress) is None
    contract.report(contract.STARTING)
    assert contract.reported(progress) == ("starting", None, None)
    contract.report(contract.ENDING, 120)
    assert contract.reported(progress) == ("ending", 120, None)
    assert [path.name for path in progress.parent.iterdir()] == [progress.name]


@pytest.mark.slow
def test_what_is_noted_last_is_written_soon(progress):
    contract.report(contract.STARTING)
    for step in range(5000):
        contract.note(contract.CALLING, step)
    limit = time.monotonic() + 60
    while contract.reported(progress) != ("calling", 4999, None) and time.monotonic() < limit:
        time.sleep(0.01)
    assert contract.reported(progress) == ("calling", 4999, None)
    contract.note(contract.RUNNING, 5000)
    contract.flush()
    assert contract.reported(progress) == ("running", 5000, None)
    # A report is at once the last word, also over a note that has not been written yet.
    contract.note(contract.RUNNING, 5000)
    contract.report(contract.ENDING, 5000)
    time.sleep(3 * contract.NOTE_SECONDS)
    assert contract.reported(progress) == ("ending", 5000, None)


@pytest.mark.parametrize("text", ["", "\n", "idle 7", "running seven", "running 7 8 x" * 10, "7"])
def test_what_is_no_state_tells_nothing(text, progress):
    progress.write_text(text)
    assert contract.reported(progress) is None


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ((contract.RUNNING, 120, 60), ("running", 120, 60)),
        ((contract.CALLING, None, 3), ("calling", None, 3)),
        ((contract.RUNNING, 0, 0), ("running", 0, 0)),
        ((contract.SERVING,), ("serving", None, None)),
    ],
)
def test_a_task_tells_the_global_step_and_its_own(told, read, progress):
    contract.report(*told)
    assert contract.reported(progress) == read


def test_bytes_and_folders_tell_nothing(progress):
    progress.write_bytes(b"\xff\xfe running 7")
    assert contract.reported(progress) is None
    progress.unlink()
    progress.mkdir()
    assert contract.reported(progress) is None


def test_a_task_that_cannot_write_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv(contract.PROGRESS, str(tmp_path / "missing" / "worker-0.progress"))
    contract.report(contract.RUNNING, 1)


def test_without_a_launcher_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(contract.PROGRESS, raising=False)
    monkeypatch.chdir(tmp_path)
    contract.report(contract.RUNNING, 1)
    contract.note(contract.RUNNING, 2)
    assert not list(tmp_path.iterdir())
