"""Ops that reach outside the graph: files, the network, Python; and those whose state no GraphDef holds."""

import re

from tf1ref.artifacts.graph import graphs, repairs
from tf1ref.errors import InputError

OUTSIDE = re.compile(
    # files
    r"ReadFile|WriteFile|MatchingFiles|RecordInput|Save|SaveV2|SaveSlices|Restore|RestoreV2|RestoreSlice"
    r"|MergeV2Checkpoints|CheckpointDiff\w*|\w*Reader(V2)?|Reader\w+|ImmutableConst|FileSystem\w+"
    r"|\w*(TextLine|TFRecord|FixedLengthRecord|LMDB|Sql|CSV|Cache|Snapshot|Load|Save)\w*Dataset\w*"
    r"|InitializeTableFromTextFile(V2)?|LoadAndRemapMatrix|GenerateVocabRemapping"
    r"|CreateSummary\w+Writer|\w*SummaryWriter|Write\w*Summary|ImportEvent"
    r"|PrintV2|Debug(Identity|NanCount|NumericSummary)\w*"  # an attribute of these names a file or an address
    # network, other processes, this process
    r"|TryRpc|Rpc\w*|_?(Host)?(Send|Recv)|RemoteCall|RegisterDataset\w*|\w*DataService\w*|Collective\w+"
    r"|Bigtable\w*|Abort"
    # Python
    r"|PyFunc|PyFuncStateless|EagerPyFunc"
)

STATE = re.compile(r"\w*Queue(V2)?|Queue\w+|\w*Iterator\w*|\w*HashTable\w*|LookupTable\w+|\w*Stag(e|ing)\w*|Barrier\w*")
PYTHON = re.compile(r"PyFunc|PyFuncStateless|EagerPyFunc")


def check(graph_def, where, trust):
    """Raises InputError for ops whose state or Python function no file holds, and, without `trust`, for outside()."""
    nodes = graphs.all_nodes(graph_def)
    if found := state(nodes):
        raise InputError(
            f"{where}: the outputs need {repairs.listed(found)}, whose state no file holds: "
            "name the tensors after it as --inputs"
        )
    if found := python(nodes):
        raise InputError(
            f"{where}: the outputs need {repairs.listed(found)}, functions of the program that built it: "
            "name the tensors after them as --inputs"
        )
    if (found := outside(nodes)) and not trust:
        raise InputError(
            f"{where}: the outputs need ops that touch files, the network or Python: {repairs.listed(found)}: "
            "say --trust to run them"
        )


def python(nodes):
    """Returns {op: [node names]} of the NodeDefs that call Python: what they call is in no file."""
    return _matching(nodes, PYTHON)


def outside(nodes):
    """Returns {op: [node names]} of the NodeDefs that touch files, the network or Python: a filter."""
    return _matching(nodes, OUTSIDE)


def state(nodes):
    """Returns {op: [node names]} of the NodeDefs that live on a queue, an iterator or a table."""
    return _matching(nodes, STATE)


def _matching(nodes, pattern):
    found = {}
    for node in nodes:
        if pattern.fullmatch(node.op):
            found.setdefault(node.op, []).append(node.name)
    return found
