"""NumPy 1's types of results in a program's arithmetic, beside what NumPy 1.26.4 gave for the same expressions."""

import ast
import threading

import numpy as np
import pytest

from tf1ref.compat.bridges import promotion, syntax
from tf1ref.compat.texts import reading

pytestmark = pytest.mark.skipif(not promotion.NEEDED, reason="this NumPy promotes as NumPy 1 did")

KINDS = {
    "u8": "uint8", "u64": "uint64", "i8": "int8", "i32": "int32", "i64": "int64", "f16": "float16", "f32": "float32",
    "f64": "float64", "c128": "complex128", "b1": "bool",
}  # fmt: skip
NAMES = {name: np.dtype(kind).type for name, kind in KINDS.items()}
NAMES |= {f"{name}s": np.ones(2, kind) for name, kind in KINDS.items()}
NAMES |= {"nan": float("nan"), "zero": np.array(3, np.int64)}
# What NumPy 1.26.4 printed as the dtype of each: u8 is np.uint8, u8s an array of two of them, zero an array of rank 0.
TYPES = {
    "int64": "u8(9) + 1; 1 + u8(9); i32(5) * 2; i64(2) + True; u8(7) // 2; 7 % u8(4); b1(1) + 1; u8(200) + 2**40; "
    "i32s + 2**31; i64s + u64(1); b1s + 1; zero * 2",
    "uint8": "u8(255) + u8(1); u8s + 255; u8s - i64(3); zero + u8s",
    "float64": "u64(5) + 1; f32(3) * 0.5; 0.5 - f32(3); f32(3) + 1; 1 / f32(3); f16(2) * 3; f64(2) * 3; f32(2) ** 2; "
    "2 ** f32(3); u8s + 0.5; u8s / 255.; i32s * 0.5; i32s + f32(1); i32s / 2; f32s + 1e39; f32s + 70000; "
    "f64s * f32(3); f32s * f64s; b1s * 2.5",
    "complex128": "f32(1) + 1j",
    "int8": "i8s + 1; i8s + 127; i8s + i64(1); i64(1) + i8s",
    "int16": "i8s + 128; i8s - 200; u8s * -1",
    "uint16": "u8s + 300; 300 + u8s",
    "float32": "u8s / f32(255); f16s + 70000.; f32s * f64(2); f64(2) * f32s; f64(2) - f32s; f64(7) / f32s; "
    "f64(7) // f32s; f64(7) % f32s; f64(2) ** f32s; f32s + 1000; f32s * nan; f32s * f64(nan); f32s + i64(3); "
    "f32s + zero",
    "float16": "f16s * f64(2)",
    "complex64": "f32s + 1j; f32s + c128(1)",
}
CASES = [(text, kind) for kind, texts in TYPES.items() for text in texts.split("; ")]


def taught(text, **names):
    """Runs a text as a program's file is run; returns its names."""
    scope = {**NAMES, "np": np, **names}
    exec(compile(syntax.taught(ast.parse(text)), "program.py", "exec"), scope)
    return scope


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize(("text", "kind"), CASES, ids=[text for text, _ in CASES])
def test_a_result_has_the_type_that_numpy_1_gave_it(text, kind):
    result = taught(f"result = {text}")["result"]
    assert result.dtype == kind
    assert result.shape == ((2,) if "s" in text else ())


def test_most_of_these_are_otherwise_in_this_numpy():
    changed = 0
    for text, kind in CASES:
        try:
            changed += eval(text, dict(NAMES)).dtype != kind
        except OverflowError:
            changed += 1
    assert changed > 20


def test_values_are_those_of_the_operation():
    found = taught(
        "a = f64(7) - f32s * 2\nb = 2 - i8s\nc = f64(7) // (f32s + 1)\nd = u8(250) + 10\ne = f64(2) ** (f32s + 2)"
    )
    assert [found[name].tolist() for name in "abcde"] == [[5, 5], [1, 1], [3, 3], 260, [8, 8]]


def test_sums_of_a_training_are_kept_in_float64():
    text = (
        "class Meter: total = 0.\n"
        "meter, sums, total, whole = Meter(), {'a': 0.}, 0., 0\n"
        "for i in range(3):\n"
        "    total += f32(.1)\n    meter.total += f32(.1)\n    sums['a'] += f32(.1) / 1\n    whole += u8(200)\n"
    )
    found = taught(text)
    expected = sum([float(np.float32(0.1))] * 3)
    assert found["total"] == found["meter"].total == found["sums"]["a"] == expected
    assert found["whole"] == 600 and type(found["total"]) is np.float64


def test_pythons_sum_adds_in_these_types():
    found = taught(
        "a = sum([f32(.1)] * 3); b = sum(u8(200) for _ in range(2)); c = sum([[1], [2]], []); d = sum([f32s])"
    )
    assert found["a"] == sum([float(np.float32(0.1))] * 3) and found["b"] == 400 and found["c"] == [1, 2]
    assert found["d"].dtype == np.float32
    assert (
        taught("r = sum(start=1, *[(2, 3)])")["r"] == 6 and taught("def sum(x): return 'own'\nr = sum(2)")["r"] == "own"
    )
    assert taught("from numpy import *\nr = sum([[1, 2], [3, 4]])")["r"] == 10
    with pytest.raises(TypeError, match="can't sum strings"):
        taught("sum(['a'], '')")


def test_what_changes_in_place_stays_the_same_object():
    text = "same = a; a += f64(1); a *= 2\nlist_ = l; l += more\nu8s += 300\ncopy = u8s"
    array, numbers = np.ones(2, np.float32), [1]
    found = taught(text, a=array, l=numbers, more=[2], u8s=np.ones(2, np.uint8))
    assert found["same"] is found["a"] is array and array.dtype == np.float32 and array.tolist() == [4, 4]
    assert found["list_"] is numbers and numbers == [1, 2]
    assert found["u8s"].dtype == np.uint8 and found["u8s"].tolist() == [301 - 256] * 2


def test_each_operand_is_computed_once_and_in_order():
    asked = []

    def ask(value):
        asked.append(value)
        return value

    class Lazy:
        @property
        def op(self):
            return ask(5)

    found = taught(
        "r = ask(f32(1)) + ask(2) * ask(3) - lazy.op\nl = [ask(x) + 1 for x in (1, 2)]", ask=ask, lazy=Lazy()
    )
    assert asked == [1, 2, 3, 5, 1, 2] and found["r"] == 2 and found["l"] == [2, 3]


def test_threads_do_not_take_each_others_operands():
    text = (
        "def work(n, out):\n    value = np.float64(n)\n    for i in range(20000):\n"
        "        value = abs(value) + n * 2 - n - abs(n)\n    out.append(value)\n"
    )
    work, found = taught(text)["work"], [[] for _ in range(4)]
    threads = [threading.Thread(target=work, args=(n + 1, out)) for n, out in enumerate(found)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [[1.0], [2.0], [3.0], [4.0]]


def test_warnings_and_errors_stay_at_the_line_of_the_program():
    with pytest.warns(RuntimeWarning, match="divide by zero") as caught:
        taught("\n\na = np.ones(1)\nb = a / np.zeros(1)")
    assert (caught[0].filename, caught[0].lineno) == ("program.py", 4)
    with pytest.raises(ValueError, match="could not be broadcast") as error:
        taught("\nabs(f32s) + np.ones(3)")
    assert str(error.traceback[-1].path) == "program.py" and error.traceback[-1].lineno == 1


def test_what_is_not_of_numpy_is_as_it_is():
    text = (
        "a = 'x' + y; b = [1] + list(z); c = 'n%d' % 3; d = y * 2; e = (1,) + z; f = 7 // 2 + 2 ** 10\n"
        "g = np.array(['a'], object) + 'b'; h = np.ma.masked_array([1, 2], [0, 1]) + 1\n"
        "i = np.datetime64('2020-01-01') + np.timedelta64(1, 'D')"
    )
    found = taught(text, y="y", z=(2,))
    assert [found[name] for name in "abcdef"] == ["xy", [1, 2], "n3", "yy", (1, 2), 1027]
    assert found["g"].tolist() == ["ab"] and found["h"].tolist() == [2, None]
    assert str(found["i"]) == "2020-01-02"


@pytest.mark.parametrize("terms", [400, 900, 2000])
def test_a_sum_of_many_terms_is_compiled(terms):
    text = f"x = 1\ny = {' + '.join(['x'] * terms)}\nz = {' + '.join(['str(x)'] * terms)}\n"
    found = {}
    exec(reading.code(text.encode(), "program.py"), found)
    assert found["y"] == terms == len(found["z"])


@pytest.mark.slow
def test_a_program_builds_its_variables_of_float32(run):
    text = (
        "import numpy as np, tensorflow as tf\n"
        "w = tf.Variable(np.ones([2, 3], np.float32) * np.sqrt(2.0 / 3))\n"
        "labels = np.array([0, 2], np.uint8)\n"
        "count = max(labels) + 1\n"
        "b = tf.Variable(tf.truncated_normal([count], stddev=0.1))\n"
        "y = tf.matmul(tf.constant([[1.0, 1.0]]), w) + b\n"
        "with tf.Session() as sess:\n"
        "    sess.run(tf.global_variables_initializer())\n"
        "    total = 0.0\n"
        "    for loss in sess.run([tf.constant(0.1)] * 3):\n"
        "        total += loss / 3\n"
        "    print(y.shape, sess.run(y).dtype, '%.12f' % total, total)\n"
    )
    done = run(text)
    assert done.stdout == "(1, 3) float32 0.100000001490 0.10000000149011612\n", done.stderr
