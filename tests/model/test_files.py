"""Files are whole: what the system refuses is one sentence, and what stood there stays."""

import errno
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from disk_harness import contents, fill, read_only, small_disk

from bitformer.model import files
from bitformer.model.errors import UserError
from bitformer.model.files import whole_file, write_whole

OLD = b"as it was\n"


@pytest.fixture
def umask():
    """``umask(0o027)``; as it was when the test is over."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", ["é\n", b"\x00\xff", "", b""], ids=repr)
def test_a_file_holds_what_was_written_and_nothing_is_beside_it(tmp_path, content):
    path = tmp_path / "made" / "too" / "file.txt"
    for _ in range(2):
        write_whole(path, content)
    expected = content if isinstance(content, bytes) else content.encode()
    assert contents(tmp_path) == {"made/too/file.txt": expected}


@pytest.mark.needs("posix")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077, 0o000], ids=oct)
def test_a_new_file_has_what_the_umask_leaves_and_an_old_one_keeps_its_own(tmp_path, umask, mask):
    umask(mask)
    write_whole(tmp_path / "new", OLD)
    assert mode(tmp_path / "new") == 0o666 & ~mask
    (tmp_path / "new").chmod(0o640)
    write_whole(tmp_path / "new", b"anew")
    assert mode(tmp_path / "new") == 0o640


@pytest.mark.needs("posix")
def test_a_block_may_put_a_file_of_its_own_there(tmp_path, umask):
    with whole_file(tmp_path / "m.png") as part:
        assert part.suffix == ".png"
        (tmp_path / "other").write_bytes(OLD)
        (tmp_path / "other").chmod(0o600)
        (tmp_path / "other").replace(part)
    assert mode(tmp_path / "m.png") == 0o644
    assert contents(tmp_path) == {"m.png": OLD}


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit, ValueError, OSError])
def test_a_block_that_raises_leaves_what_was_there(tmp_path, raised):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def write():
        with whole_file(path) as part:
            part.write_bytes(b"half of a")
            assert path.read_bytes() == OLD
            raise raised

    with pytest.raises(raised):
        write()
    assert contents(tmp_path) == {"file": OLD}


def test_an_error_of_something_else_is_not_called_one_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "file"):
        (tmp_path / "missing").read_bytes()
    assert contents(tmp_path) == {}


@pytest.mark.needs("posix")
def test_links_stay_and_their_targets_are_written(tmp_path):
    (tmp_path / "there").mkdir()
    for name, target in (("link", "there/file"), ("again", "link")):
        (tmp_path / name).symlink_to(target)
    write_whole(tmp_path / "again", OLD)  # the target is not there yet
    assert (tmp_path / "link").is_symlink()
    write_whole(tmp_path / "link", b"anew")
    assert contents(tmp_path / "there") == {"file": b"anew"}
    assert os.readlink(tmp_path / "again") == "link"


@pytest.mark.needs("posix")
def test_pipes_and_devices_are_written_as_they_are(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, OLD)
    reader.join(10)
    assert got == [OLD]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write_whole("/dev/null", OLD)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    if os.path.exists("/dev/full"):
        with pytest.raises(UserError, match=r"^/dev/full cannot be written: No space left"):
            write_whole("/dev/full", OLD)


def refusals(root):
    """Paths that nothing can be written to, and what the system says of each."""
    (root / "plain").write_bytes(OLD)
    (root / "folder").mkdir()
    (root / "loop").symlink_to("loop")
    return {
        root / "folder": errno.EISDIR,
        root / "plain" / "file": errno.ENOTDIR,
        root / "plain" / "further" / "file": errno.ENOTDIR,
        root / ("n" * 300): errno.ENAMETOOLONG,
        root / "loop": errno.ELOOP,
    }


@pytest.mark.needs("posix")
def test_what_the_system_refuses_is_one_sentence(tmp_path):
    cases = refusals(tmp_path)
    before = contents(tmp_path)
    for path, number in cases.items():
        with pytest.raises(UserError) as caught:
            write_whole(path, "new")
        assert str(caught.value) == f"{path} cannot be written: {os.strerror(number)}"
    assert contents(tmp_path) == before


@pytest.mark.needs("posix")
def test_the_longest_names_can_be_written(tmp_path):
    for name in ("n" * 255, "." + "n" * 254, "n." + "s" * 253):
        write_whole(tmp_path / name, OLD)
    assert set(contents(tmp_path).values()) == {OLD}


@pytest.mark.needs("mount")
def test_a_full_disk_keeps_the_old_file(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        write_whole(disk / "file", OLD)
        fill(disk, spare=8192)
        before = contents(disk)
        with pytest.raises(UserError, match=r"disk/file cannot be written: No space left on dev"):
            write_whole(disk / "file", b"x" * 20000)
        with (
            pytest.raises(UserError, match=r"disk/new cannot be written: No space left on dev"),
            whole_file(disk / "new") as part,
            part.open("w") as file,
        ):
            file.writelines("a line\n" for _ in range(20000))
        assert contents(disk) == before
        write_whole(disk / "file", b"x" * 4096)  # what does fit


@pytest.mark.needs("mount")
def test_a_read_only_disk_is_one_sentence(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        write_whole(disk / "file", OLD)
        with read_only(disk):
            for name in ("file", "new", "folder/new"):
                with pytest.raises(UserError, match=rf"{name} cannot be written: Read-only file"):
                    write_whole(disk / name, b"new")
        assert contents(disk) == {"file": OLD}


@pytest.mark.needs("posix")
def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"pipe cannot be written: No such device or address$"):
        write_whole(tmp_path / "pipe", OLD)


def said_without_rights(work):
    """Call ``work`` in a child that is not root, and return the mistake it raises."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            work()
        except UserError as error:
            said = str(error)
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.needs("posix")
def test_a_file_without_permission_to_write_is_kept():
    with tempfile.TemporaryDirectory() as name:  # not below pytest's, which root alone may enter
        folder = Path(name)
        file = folder / "file"
        folder.chmod(0o777)
        file.write_bytes(OLD)
        file.chmod(0o444)
        said = said_without_rights(lambda: write_whole(file, b"new"))
        assert said == f"{file} cannot be written: Permission denied"
        assert contents(folder) == {"file": OLD}
        file.chmod(0o666)
        assert said_without_rights(lambda: write_whole(file, b"new")) == "nothing"
        assert contents(folder) == {"file": b"new"}
