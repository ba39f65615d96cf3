"""Reading the bytes of an ONNX file before ONNX Runtime does: what is in it, and is it harmless?

An ONNX file is a message in the wire format of Protocol Buffers. ONNX Runtime would open the files
that its tensors name, and run any operator. Here the message is walked through without a copy of its
weights, and everything that an export of ours does not hold is an error. Source: onnx.proto3.
"""
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mmwindow.utils.messages import quote

MAX_NODES = 20_000
MAX_DEPTH = 4  # model, graph, node, attribute; a subgraph would be deeper
# Operators of exported models; none of them reads files, loops, or makes large tensors of small ones.
OPERATORS = frozenset((
    'Abs Add AveragePool Cast Clip Concat Constant Conv DequantizeLinear Div Equal Exp Flatten '
    'Gather Gemm GlobalAveragePool Identity InstanceNormalization Log MatMul Max MaxPool Min Mul '
    'Neg Pad QuantizeLinear ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape '
    'Resize RoiAlign Shape Sigmoid Slice Softmax Sqrt Squeeze Sub Tanh Transpose Unsqueeze '
    'Where').split())
MODEL = dict(producer=2, graph=7, metadata=14, training=20, functions=25)
GRAPH = dict(node=1, initializer=5, input=11, output=12, sparse=15)
NODE = dict(name=3, operator=4, attribute=5, domain=7)
ATTRIBUTE = dict(tensor=5, graph=6, tensors=10, graphs=11, sparse=22, sparses=23)
TENSOR = dict(external=13, location=14)


@dataclass
class OnnxContent:
    """What a file holds, weights aside.

    Attributes:
        metadata: Of the model, by key.
        operators: Names of the operators that occur.
        inputs: Names of the graph's inputs.
        outputs: Names of its outputs.
        num_nodes: Of the graph.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    operators: set[str] = field(default_factory=set)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    num_nodes: int = 0


def read_varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends.

    Raises:
        ValueError: The message is cut short, or the number longer than 64 bits.
    """
    value = 0
    for index in range(10):
        if place + index >= len(data):
            raise ValueError('it is cut short')
        byte = data[place + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, place + index + 1
    raise ValueError('a number in it is longer than 64 bits')


def iterate_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message: a number, or bytes that are not copied.

    Raises:
        ValueError: It is no message, or cut short.
    """
    place = 0
    while place < len(data):
        key, place = read_varint(data, place)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in (0, 1, 2, 5):
            raise ValueError('it is no ONNX file')
        if kind == 0:
            value, place = read_varint(data, place)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            length, place = read_varint(data, place)
        if place + length > len(data):
            raise ValueError('it is cut short')
        yield number, data[place:place + length]
        place += length


def text_of(value: int | memoryview) -> str:
    """Return a field as text.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, int):
        raise ValueError('it is no ONNX file')
    try:
        return bytes(value).decode('utf-8')
    except UnicodeDecodeError as error:
        raise ValueError('a text in it is no UTF-8') from error


def message_of(value: int | memoryview) -> memoryview:
    """Return a field as a message.

    Raises:
        ValueError: It is a number.
    """
    if isinstance(value, int):
        raise ValueError('it is no ONNX file')
    return value


def read_onnx(data: bytes | memoryview) -> OnnxContent:
    """Return what an ONNX file holds, checked.

    Args:
        data: All of the file.

    Raises:
        ValueError: It is no ONNX file, damaged, or holds what no export of ours does: weights in
            other files, other operators, subgraphs or functions.
    """
    content, has_graph = OnnxContent(), False
    for number, value in iterate_fields(memoryview(data)):
        if number == MODEL['graph']:
            if has_graph:
                raise ValueError('it holds two graphs')
            has_graph = True
            read_graph(message_of(value), content)
        elif number == MODEL['metadata']:
            entries = dict(iterate_fields(message_of(value)))
            content.metadata[text_of(entries.get(1, memoryview(b'')))] = text_of(
                entries.get(2, memoryview(b'')))
        elif number in (MODEL['training'], MODEL['functions']):
            raise ValueError('it holds functions or a training, which no export of mmwindow does')
    if not has_graph:
        raise ValueError('it is no ONNX file')
    return content


def read_graph(data: memoryview, content: OnnxContent) -> None:
    """Add what a graph holds to the content of its file.

    Raises:
        ValueError: As :func:`read_onnx`.
    """
    for number, value in iterate_fields(data):
        if number == GRAPH['node']:
            content.num_nodes += 1
            if content.num_nodes > MAX_NODES:
                raise ValueError(f'it has more than {MAX_NODES} nodes')
            content.operators.add(check_node(message_of(value)))
        elif number == GRAPH['initializer']:
            check_tensor(message_of(value))
        elif number == GRAPH['sparse']:
            raise ValueError('it holds sparse weights, which no export of mmwindow does')
        elif number in (GRAPH['input'], GRAPH['output']):
            names = [text_of(part) for key, part in iterate_fields(message_of(value)) if key == 1]
            (content.inputs if number == GRAPH['input'] else content.outputs).extend(names)


def check_node(data: memoryview) -> str:
    """Return the operator of a node.

    Raises:
        ValueError: It is another than those of exports, or has a subgraph.
    """
    operator = domain = ''
    for number, value in iterate_fields(data):
        if number == NODE['operator']:
            operator = text_of(value)
        elif number == NODE['domain']:
            domain = text_of(value)
        elif number == NODE['attribute']:
            for key, part in iterate_fields(message_of(value)):
                if key in (ATTRIBUTE['graph'], ATTRIBUTE['graphs'], ATTRIBUTE['sparse'],
                           ATTRIBUTE['sparses']):
                    raise ValueError('it has graphs within its graph, which no export of mmwindow '
                                     'has')
                if key in (ATTRIBUTE['tensor'], ATTRIBUTE['tensors']):
                    check_tensor(message_of(part))
    if domain not in ('', 'ai.onnx') or operator not in OPERATORS:
        raise ValueError(f'it has the operator {quote(f"{domain}.{operator}".strip("."), 60)}, which '
                         'no export of mmwindow has')
    return operator


def check_tensor(data: memoryview) -> None:
    """Check that the values of a tensor are in the file.

    Raises:
        ValueError: They are in another file.
    """
    for number, value in iterate_fields(data):
        if number == TENSOR['external'] or number == TENSOR['location'] and value:
            raise ValueError('its weights are in another file, which is not read: export it again')


def write_metadata(data: bytes, metadata: dict[str, str]) -> bytes:
    """Return an ONNX file with further entries of metadata: fields of a message may be appended.

    >>> read_onnx(write_metadata(bytes([0x3a, 0]), {'key': 'value'})).metadata
    {'key': 'value'}
    """
    def field_of(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(content)) + content

    entries = [field_of(1, key.encode()) + field_of(2, value.encode())
               for key, value in metadata.items()]
    return data + b''.join(field_of(MODEL['metadata'], entry) for entry in entries)


def varint(value: int) -> bytes:
    """Return a number as the wire format has it.

    >>> varint(300).hex()
    'ac02'
    """
    parts = []
    while True:
        value, part = value >> 7, value & 0x7F
        parts.append(part | 0x80 * (value > 0))
        if not value:
            return struct.pack(f'{len(parts)}B', *parts)
