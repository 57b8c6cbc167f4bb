"""Loops and branches as Python: functions inside the function, and tf.while_loop or tf.cond that call them."""

from tf1ref.port import names
from tf1ref.port.flow import parts
from tf1ref.port.names import COUNTER
from tf1ref.port.nodes import LOOP

PARALLEL = 10  # iterations at once, unless a loop says how many
# When it reads at most this many variables, the condition of a loop is a lambda.
MOST = 4
# A start value of at most this many characters stands inside the call.
LONGEST = 24


def write(body, node):
    """Writes the Node of a loop or branch into `body`, the bodies.Body of the function around it."""
    body.name_all(node.inputs[node.own :])
    if node.op == LOOP:
        _loop(body, node)
    else:
        _branch(body, node)


def _loop(body, node):
    starts = node.inputs[: node.own]
    body.name_all([s for s in starts if s in body.pending and len(body.pending[s].text) > LONGEST])
    taken = set(body.taken)
    words = [names.free(_word(body, source), taken) for source in starts]
    condition, run = node.parts
    name = names.free("cond", body.taken)
    lines, (test,) = _inside(body, condition, words, taken | {name})
    count = max([i + 1 for i in range(node.own) if _reads(condition, i)], default=0)
    if lines or count > MOST:
        _function(body, name, words, lines, [test])
        test = name
    else:
        body.taken.discard(name)
        test = f"lambda {', '.join(words[:count] + ['*_'] * (count < node.own))}: {test}"
    name = names.free("body", body.taken)
    _function(body, name, words, *_inside(body, run, words, taken | {name}))
    # A list would be several variables of the loop.
    written, tensor = body.writer.written, body.writer.tensor
    found = [(tensor if body.kind(source)[1].rank else written)(source, "start").text for source in starts]
    body.consume(starts)
    arguments = [test, name, f"[{', '.join(found)}]", *_more(body, node)]
    _targets(body, node, words, f"tf.while_loop({', '.join(arguments)})", whole=False)


def _more(body, node):
    """Returns the arguments of tf.while_loop that are not its defaults."""
    found, kinds = [], [body.kind(source)[1] for source in node.inputs[: node.own]]
    # A graph forgets what set_shape said. tf.while_loop would then know more of a start than of what follows it.
    shapes = [shape.most_specific_compatible_shape(kind) for shape, kind in zip(node.shapes, kinds)]
    if any(_shape(shape) != _shape(kind) for shape, kind in zip(shapes, kinds)):
        texts = [f"tf.TensorShape({_shape(shape)})" for shape in shapes]
        found.append(f"shape_invariants=[{', '.join(texts)}]")
    # Turns that run at once would race for random numbers.
    inner = [one for part in node.parts for one in parts.everything(part.nodes).values()]
    draws = any({"seed", "seed2"} <= one.attrs.keys() for one in inner)
    alone = draws or node.attrs.get("parallel_iterations", PARALLEL) == 1
    return found + ["parallel_iterations=1"] * alone


def _shape(shape):
    return "None" if shape.rank is None else repr(shape.as_list())


def _branch(body, node):
    predicate = body.writer.tensor(node.inputs[0]).text
    body.consume(node.inputs[:1])
    words = []
    for word, part in zip(("if_true", "if_false"), node.parts):
        name = names.free(word, body.taken)
        lines, results = _inside(body, part, [], set(body.taken))
        if lines:
            _function(body, name, [], lines, results)
            words.append(name)
        else:
            body.taken.discard(name)
            words.append(f"lambda: {_tuple(results)}")
    _targets(body, node, [], f"tf.cond({', '.join([predicate, *words])})", whole=len(node.dtypes) == 1)


def _inside(body, part, words, taken):
    """Returns (Statements of a Part, the texts of its results)."""
    parameters = {(parameter.name, 0): word for parameter, word in zip(part.parameters, words)}
    used = {}
    for source in [*(s for n in part.nodes.values() for s in n.inputs), *part.results]:
        used[source] = used.get(source, 0) + 1
    inner = body.within(parameters, used, taken)
    for node in part.nodes.values():
        if node.value is None:
            inner.add(node)
    return inner.statements, [inner.needed(source) for source in part.results]


def _function(body, name, parameters, lines, results):
    if body.statements and body.statements[-1].text:
        body.say("")
    body.say(f"def {name}({', '.join(parameters)}):")
    for line in lines:
        line.indent += 1
        body.statements.append(line)
    body.say(f"return {', '.join(results)}", 1)
    body.say("")


def _tuple(results):
    return results[0] if len(results) == 1 else f"({', '.join(results)})"


def _reads(part, number):
    source = part.parameters[number].name, 0
    return source in part.results or any(source in node.inputs for node in part.nodes.values())


def _targets(body, node, words, text, whole):
    """Writes the call, and names its results."""
    sources = [(node.name, i) for i in range(len(node.dtypes))]
    read = [body.used.get(source) for source in sources]
    body.words.update(zip(sources, words))
    if whole:
        body.keep_call(sources[0], text)
        return
    targets = [body.local(source) if times else "_" for source, times in zip(sources, read)]
    body.say(f"{', '.join(targets) if targets[1:] else f'({targets[0]},)'} = {text}")


def _word(body, source):
    """Returns a name for a variable of a loop that starts as `source`. A counter is called i."""
    array = body.constant(source)
    if array is None:
        text = body.given.get(source, "")
        return COUNTER.sub("", text) if text.isidentifier() else names.local(source[0])
    return "i" if array.dtype.kind in "iu" and not array.ndim else "value"
