"""Mistakes in data with classes: each is one sentence, with the remedy."""

import re

import pytest
from class_harness import folder_of, load, strides, table_of, walk

from bitformer.model.errors import TooFewRowsError, UserError

FILES = {"files": "{group}_{label}.csv"}


def stretches(order: str, rows: int = 20, first: str = "x") -> str:
    """Return rows of one table, ``rows`` of each letter in ``order``, with its class."""
    return "\n".join(
        [
            f"{first},y,what",
            *(
                f"{one:g},{two:g},{what}"
                for i, what in enumerate(order)
                for one, two in walk(rows, i)
            ),
        ]
    )


#: Of one table: its text, options, and the refusal.
TABLES = {
    "no such label": (
        stretches("ab"),
        {"label": "kind"},
        r"^Label must name a column of .*my\.csv, one of x, y, what, not 'kind': say --label what$",
    ),
    "no such group": (
        stretches("ab"),
        {"label": "what", "group": "who"},
        r"^Group must name a column of .*, one of x, y, what, not 'who': say --group what$",
    ),
    "no such series": (
        stretches("abab"),
        {"label": "what", "series": "who"},
        r"^Column 'who' is not in .*my\.csv, which has x, y, what$",
    ),
    "a label written otherwise": (
        stretches("ab", first="What?"),
        {"label": "WHAT"},
        r"one of What\?, y, what, not 'WHAT': say --label what$",
    ),
    "a name of two lines": (
        'x,what\n1,"a\nb"\n2,c\n',
        {"label": "what"},
        r"^Label column 'what' of my\.csv must hold names of at most 60 letters, but line 3 has"
        r" 'a\\nb': correct it, or name another column$",
    ),
    "a long group": (
        "x,what,who\n" + "\n".join(f"{row},{'ab'[row % 2]},{'p' * 61}" for row in range(9)),
        {"label": "what", "group": "who"},
        r"^Group column 'who' of my\.csv must hold names of at most 60 letters, but line 2 has 'p",
    ),
    "half a stride": (
        stretches("abab"),
        {"label": "what", "stride": 2.5},
        r"^stride must be a whole number of rows, 1 or more, not 2\.5$",
    ),
    "one class": (
        stretches("aaa"),
        {"label": "what"},
        r"^Label 'what' of my\.csv must have two classes or more in the training rows, but has a"
        r" alone: name another column with --label, or give rows of other classes$",
    ),
    "no class": (
        stretches("   "),
        {"label": "what"},
        r"must have two classes or more in the training rows, but has none: name another",
    ),
    "a class in test rows alone": (
        stretches("ababababac"),
        {"label": "what"},
        r"^Class c of my\.csv must have training rows, but has test rows alone: name what is one"
        r" recording with --series COLUMN, .* --test-groups and --val-groups, or leave out the rows"
        r" of this class$",
    ),
    "classes in validation rows alone": (
        stretches("abababcdab"),
        {"label": "what"},
        r"^Classes c, d of my\.csv must have training rows, but have validation rows alone: .*"
        r"these classes$",
    ),
    "floats": (
        "x,what\n" + "\n".join(f"{row},{row / 8}" for row in range(40)),
        {"label": "what"},
        r"^Label column 'what' of my\.csv must hold names or whole numbers, but line 3"
        r" has '0\.125':"
        r" name a column of classes with --label, or forecast these numbers with --target what$",
    ),
    "too many classes": (
        "x,what\n" + "\n".join(f"{row},{row // 2 % 257}" for row in range(1028)),
        {"label": "what"},
        r"^Label 'what' of my\.csv must have at most 256 classes, not 257 \(0, 1, 2, …\): name"
        r" another column with --label, or forecast it with --target if it is a quantity$",
    ),
    "short stretches": (
        stretches("ab" * 20, rows=3),
        {"label": "what"},
        r"^my\.csv must have 4 rows of one class without a gap in each part for a window of 4, but"
        r" its training part holds no window: its longest such stretch is 3: --window 3 would do,"
        r" or longer recordings$",
    ),
    "a class in short stretches": (
        "x,what\n" + "\n".join(f"{row},{'b' if row % 20 < 2 else 'a'}" for row in range(100)),
        {"label": "what"},
        r"^Class b of my\.csv must have 4 training rows one after the other, without a gap, for a"
        r" window of 4, but has none such: give a shorter --window, longer recordings or fill gaps",
    ),
    "no inputs": (
        "what\n" + "a\nb\n" * 20,
        {"label": "what"},
        r"^Inputs must be columns of numbers, and .* has none beside what: it has what$",
    ),
    "the class as an input": (
        stretches("abab"),
        {"label": "what", "inputs": "x,what"},
        r"^Inputs must not hold what, the class that is to be told: leave it out of --inputs$",
    ),
    "an input twice": (
        stretches("abab"),
        {"label": "what", "inputs": "x,x"},
        r"^Inputs must be one or more different columns, not x, x$",
    ),
    "a target": (
        stretches("abab"),
        {"label": "what", "target": "x"},
        r"^target must be left out where windows are classified, as their classes are told by what,"
        r" not be x: leave --target out$",
    ),
    "a sensed value": (
        stretches("abab"),
        {"label": "what", "sense": "x"},
        r"^sense must be left out where windows are classified, .*: leave --sense out$",
    ),
    "rows ahead": (
        stretches("abab"),
        {"label": "what", "ahead": 2},
        r"^ahead must be left out where windows are classified, not be 2: leave --ahead out$",
    ),
    "an empty group": (
        "x,what,who\n"
        + "\n".join(f"{row},{'ab'[row // 10 % 2]},{'' if row == 7 else 'p'}" for row in range(40)),
        {"label": "what", "group": "who"},
        r"^Group column 'who' of my\.csv must name a group in each row, but that of line"
        r" 9 is empty:"
        r" fill it in, or leave out --group$",
    ),
    "test groups without groups": (
        stretches("abab"),
        {"label": "what", "test_groups": "p"},
        r"^test_groups must name groups of the data, which have none: name the column of"
        r" groups with"
        r" --group, or say with --files where \{group\} stands",
    ),
    "no rows": (
        "x,y,what\n",
        {"label": "what", "inputs": "x"},
        r"^my\.csv must have rows, but has none$",
    ),
    "classify without classes": (
        stretches("abab"),
        {"task": "classify"},
        r"^Task classify needs the classes of the rows: name their column with --label, or a folder"
        r" of files with --data and --files '\{group\}_\{label\}\.csv'$",
    ),
    "forecast with classes": (
        stretches("abab"),
        {"task": "forecast", "label": "what", "target": "x"},
        r"^label is for a classifier, and the task is forecast, but it is what: leave --label out,"
        r" or say --task classify$",
    ),
    "detect with classes": (
        stretches("abab"),
        {"task": "detect", "label": "what", "target": "x"},
        r"^label is for a classifier, and the task is detect",
    ),
    "a stride of forecasts": (
        stretches("abab"),
        {"target": "x", "stride": 2},
        r"^stride is for a classifier, and the task is forecast, but it is 2: leave"
        r" --stride out, or"
        r" name the column of classes with --label$",
    ),
    "no stride": (
        stretches("abab"),
        {"label": "what", "stride": 0},
        r"^stride must be a whole number of rows, 1 or more, not 0$",
    ),
    "no window": (
        stretches("abab"),
        {"label": "what", "window": 0},
        r"^Window must be a positive number of rows, not 0$",
    ),
    "files of a file": (
        stretches("abab"),
        FILES,
        r"^Data must be a folder where files are named by a pattern, but .*my\.csv is a file: name"
        r" the folder with --data, or leave --files out$",
    ),
}

#: Of a folder of 8 files of four persons: options, and the refusal.
FOLDERS = {
    "no such files": (
        {"files": "{group}-{label}.txt"},
        r"^Folder .* must have files named as '\{group\}-\{label\}\.txt', but has a_run\.csv,"
        r" a_walk\.csv, b_run\.csv, b_walk\.csv, c_run\.csv, …: say with --files where"
        r" \{label\} and"
        r" \{group\} stand in their names$",
    ),
    "no label in the pattern": (
        {"files": "{group}_*.csv"},
        r"^files must have \{label\} where the class stands in the files' names, not"
        r" '\{group\}_\*\.csv': say --files '\{group\}_\{label\}\.csv', or name the column of"
        r" classes with --label$",
    ),
    "another word in the pattern": (
        {"files": "{person}_{label}.csv"},
        r"^files must be a pattern with \{label\}, \{group\} \(each once\) and \* for what does not"
        r" count, not '\{person\}_\{label\}\.csv': say --files '\{group\}_\{label\}\.csv'$",
    ),
    "a word twice": ({"files": "{label}_{label}.csv"}, r"^files must be a pattern"),
    "an open brace": ({"files": "{label}{.csv"}, r"^files must be a pattern"),
    "a path from the root": ({"files": "/{label}.csv"}, r"^files must be a pattern"),
    "an empty pattern": ({"files": "", "label": "x"}, r"^files must be a pattern"),
    "a label in columns, too": (
        {**FILES, "label": "x"},
        r"^label must be a column or a part of the files' names, not both: leave out --label x, or"
        r" \{label\} of '\{group\}_\{label\}\.csv'$",
    ),
    "a group in columns, too": ({**FILES, "group": "x"}, r"^group must be a column or a part"),
    "a group in two parts": (
        {**FILES, "test_groups": "a,b", "val_groups": "b,c"},
        r"^Groups must be in one part each, but b would be in two: name it with --test-groups or"
        r" with --val-groups alone$",
    ),
    "an unknown group": (
        {**FILES, "test_groups": "a,z"},
        r"^test_groups must be groups of the data, a, b, c, d, not z: name those with"
        r" --test-groups$",
    ),
    "an unknown group for validation": (
        {**FILES, "test_groups": "a", "val_groups": "y"},
        r"^val_groups must be groups of the data, a, b, c, d, not y: name those with --val-groups$",
    ),
    "validation alone": (
        {**FILES, "val_groups": "b"},
        r"^test_groups must name groups, too, where val_groups does \(b\): say --test-groups A,B$",
    ),
    "no group for training": (
        {**FILES, "test_groups": "a,b,c", "val_groups": "d"},
        r"^Groups must be at least one for training beside those for test \(a, b, c\) and"
        r" validation"
        r" \(d\), but the data have a, b, c, d alone: name fewer with --test-groups and"
        r" --val-groups, or give recordings of others$",
    ),
    "all groups for test": (
        {**FILES, "test_groups": "a,b,c,d"},
        r"^Groups must be at least one for training .* validation \(none\)",
    ),
    "a long window": (
        {**FILES, "window": 9},
        r"^\w+ must have 9 rows of one class without a gap in each part for a window of 9, but its"
        r" validation part holds no window: its longest such stretch is 8: --window 8 would do, or"
        r" longer recordings$",
    ),
    "no pattern": (
        {"label": "what"},
        r"must be a CSV file, not a directory: name a file in it with --data, or say where the"
        r" classes stand in its files' names, as --files '\{group\}_\{label\}\.csv'$",
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_that_will_not_do(tmp_path, kind):
    content, options, message = TABLES[kind]
    path = tmp_path / "my.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        load(path, **options)
    one_sentence(str(caught.value), tmp_path)


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_will_not_do(tmp_path, kind):
    options, message = FOLDERS[kind]
    with pytest.raises(UserError, match=message) as caught:
        load(strides(tmp_path / "gait"), **options)
    one_sentence(str(caught.value), tmp_path)


def one_sentence(text, tmp_path):
    text = text.replace(str(tmp_path), "")
    assert "\n" not in text
    assert not text.endswith(".")
    assert not re.search(r"\. [A-Z]", text)


def test_other_columns(tmp_path):
    folder_of(strides(tmp_path), {"c_walk.csv": walk(40, 0)}, columns="xz")
    with pytest.raises(
        UserError,
        match=r"^All files must have the same columns, but .*c_walk\.csv"
        r" lacks y, and has x, z: --inputs x takes those that it has, or take it out of the"
        r" folder, or out of --files$",
    ):
        load(tmp_path, **FILES)
    assert load(tmp_path, **FILES, inputs="x").inputs == ("x",)


def test_no_common_column(tmp_path):
    folder_of(strides(tmp_path), {"c_walk.csv": walk(40, 0)}, columns="uv")
    with pytest.raises(UserError, match=r"lacks x, y, and has u, v: take it out of the folder"):
        load(tmp_path, **FILES)


def test_an_empty_file(tmp_path):
    folder_of(strides(tmp_path), {"c_walk.csv": walk(0, 0)})
    with pytest.raises(
        UserError, match=r"c_walk\.csv must have rows, but has a header alone: take"
    ):
        load(tmp_path, **FILES)


def test_a_bad_cell_names_its_file(tmp_path):
    (strides(tmp_path) / "c_walk.csv").write_text("x,y\n1,2\n3,oops\n")
    with pytest.raises(UserError, match=r"c_walk\.csv must hold finite numbers, but line 3 has"):
        load(tmp_path, **FILES)


def test_times_of_two_kinds(tmp_path):
    for name, times in (("a_run", "2020-01-01 00:00:{:02d}"), ("a_walk", "{}")):
        rows = [(times.format(row), row) for row in range(40)]
        table_of(tmp_path / f"{name}.csv", rows, "when,x")
    with pytest.raises(
        UserError, match=r"^All files must write times alike, but those of .*a_walk"
    ):
        load(tmp_path, **FILES, time="when")


def test_a_clock_of_one_file_that_goes_back(tmp_path):
    for name in ("a_run", "a_walk"):
        rows = [(40 - row if name == "a_walk" and row > 20 else row, row) for row in range(40)]
        table_of(tmp_path / f"{name}.csv", rows, "when,x")
    with pytest.raises(UserError, match=r"^Times of series a_walk\.csv must rise from row to row"):
        load(tmp_path, **FILES, time="when")


def test_a_part_of_groups_without_a_window(tmp_path):
    files = {f"{who}_{what}.csv": walk(40, 0) for who in "ab" for what in ("x", "y")}
    folder_of(tmp_path, {**files, "c_x.csv": walk(3, 0)})
    with pytest.raises(
        TooFewRowsError,
        match=r"its test part holds no window: its longest such"
        r" stretch is 3: --window 3 would do",
    ):
        load(tmp_path, **FILES, test_groups="c", val_groups="b")


def test_synthetic_data_have_no_classes():
    with pytest.raises(UserError, match=r"^synthetic has no classes: name a CSV file or a folder"):
        load("synthetic", label="x")
