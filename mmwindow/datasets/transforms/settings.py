"""What transforms take from their own argument or else from the data set."""


def setting(transform, name, own, results):
    """Return a transform's own argument, or what the data set put into ``results`` under its name.

    Args:
        transform (object): For the message.
        name (str): Argument of the transform and key of ``results``.
        own: The argument's value; None means: ask ``results``.
        results (dict): The sample.

    Raises:
        ValueError: Neither says anything.
    """
    value = results.get(name) if own is None else own
    if value is None:
        raise ValueError(f'{type(transform).__name__}: no {name}; give it to CocoPointDataset, '
                         'which hands it to every transform, or to this transform')
    return value


def check_side(transform, input_side):
    """Return ``input_side``, a positive int, or None.

    Raises:
        ValueError: Anything else.
    """
    if input_side is not None and (
            isinstance(input_side, bool) or not isinstance(input_side, int) or input_side < 1):
        raise ValueError(f'{type(transform).__name__}: input_side is {input_side!r}; it must be a '
                         'positive whole number of pixels')
    return input_side
