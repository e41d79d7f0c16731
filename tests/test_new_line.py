"""`replyline new NAME` makes a folder that works."""

import ast

import pytest

from replyline.new_line import CannotMakeLine, make_line_folder


def test_a_new_line_has_a_line_file_a_test_and_a_readme(tmp_path):
    folder = make_line_folder("acme-dogs", tmp_path)
    assert folder == tmp_path / "acme-dogs"
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "line.py", "pytest.ini", "test_line.py"]
    assert 'name="Acme Dogs"' in (folder / "line.py").read_text()
    for file in folder.glob("*.py"):
        ast.parse(file.read_text())
    assert "$" not in "".join(file.read_text() for file in folder.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "line.py").write_text("mine")
    with pytest.raises(CannotMakeLine, match="exists already"):
        make_line_folder("acme", tmp_path)
    assert (tmp_path / "acme" / "line.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "../up", "a/b", "1st", "-x", "my gym", "é", "$name", ".", "x" * 61, 'a"b'])
def test_a_name_that_would_not_do_is_refused(tmp_path, name):
    with pytest.raises(CannotMakeLine, match="cannot name a line"):
        make_line_folder(name, tmp_path)
    assert list(tmp_path.iterdir()) == []
