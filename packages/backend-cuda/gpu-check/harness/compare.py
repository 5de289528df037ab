"""Comparisons that name the first difference; none when there is none. Bits mean bits: the sign of zero and the payload of a NaN count."""
import numpy as np

from .numbers import numbers, ranks


def in_bits(expected, found):
    kind = in_kind(expected, found)
    if kind or expected.data.tobytes() == found.data.tobytes():
        return kind
    width = expected.data.dtype.itemsize
    a, b = (np.ascontiguousarray(one.data).view(np.uint8).reshape(-1, width) for one in (expected, found))
    return first(np.any(a != b, axis=1), numbers(expected), numbers(found), "bits")


def in_ulps(expected, found, ulps):
    kind = in_kind(expected, found)
    if kind:
        return kind
    nan = np.isnan(numbers(expected)) | np.isnan(numbers(found))
    return first(nan | (np.abs(ranks(expected) - ranks(found)) > ulps), numbers(expected), numbers(found), f"{ulps} ulp")


def beyond(expected, found, bound):
    """|found − expected| <= bound, element by element; NaN never is."""
    expected, found = (np.asarray(one, dtype=np.float64).reshape(-1) for one in (expected, found))
    if expected.size != found.size:
        return in_text(f"{expected.size} elements", f"{found.size} elements")
    bound = np.broadcast_to(bound, expected.shape)
    with np.errstate(invalid="ignore"):
        return first(~(np.abs(found - expected) <= bound), expected, found, bound)


def close(expected, found, rtol, atol):
    kind = in_kind(expected, found)
    return kind or beyond(numbers(expected), numbers(found), rtol * np.abs(numbers(expected)) + atol)


def in_codes(expected, found, steps=1, share=0.005):
    """Integers equal, except `steps` up or down on at most `share` of them."""
    kind = in_kind(expected, found)
    if kind:
        return kind
    apart = np.abs(numbers(expected) - numbers(found))
    differing = int(np.count_nonzero(apart))
    allowed = 0 if differing > share * apart.size else steps
    return first(apart > allowed, numbers(expected), numbers(found), f"{steps} code on {share:.1%} (here {differing} of {apart.size})")


def in_text(expected, found):
    return None if expected == found else {"index": -1, "expected": expected, "found": found, "bound": "equal"}


def in_kind(expected, found):
    said = [f"{one.data.size} elements of {one.dtype}" for one in (expected, found)]
    return in_text(*said)


def first(is_wrong, expected, found, bound):
    if not np.any(is_wrong):
        return None
    index = int(np.argmax(is_wrong))
    allowed = bound if isinstance(bound, str) else float(bound[index])
    return {"index": index, "expected": repr(float(expected[index])), "found": repr(float(found[index])), "bound": allowed}
