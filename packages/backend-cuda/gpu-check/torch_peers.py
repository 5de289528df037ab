#!/usr/bin/env python3
"""
What PyTorch needs for the same shapes, measured as the library is: CUDA graphs over operands four times larger than the cache, medians of
rounds between events. Lines of JSON, the first about the device. Exit code 3: no PyTorch, or no GPU for it.
"""
import json
import statistics
import sys

SHAPES = ((8192, 28672), (28672, 8192), (8192, 8192), (4096, 14336), (14336, 4096), (4096, 4096))
LINES = (1, 2, 3, 4, 8, 16, 32, 64, 128, 512)
ROUND_SECONDS, ROUNDS, MOST_CALLS = 2e-3, 15, 512


def main():
    try:
        import torch
    except ImportError:
        return absent("no PyTorch")
    if not torch.cuda.is_available():
        return absent("PyTorch sees no GPU")
    is_tiny = "--tiny" in sys.argv
    properties = torch.cuda.get_device_properties(0)
    say({"torch": torch.__version__, "cuda": torch.version.cuda, "device": properties.name})
    l2 = getattr(properties, "L2_cache_size", 64 << 20)
    measure_copy(torch, is_tiny)
    for n, k in ((64, 256),) if is_tiny else SHAPES:
        for dtype in (torch.bfloat16,) if (n, k) not in SHAPES[:1] else (torch.bfloat16, torch.float16, torch.float32):
            measure_matmul(torch, n, k, dtype, l2)
    for m in (1, 16, 512, 4096) if not is_tiny else (32,):
        measure_int8(torch, m, *((64, 64) if is_tiny else (4096, 4096)), l2)
    for dtype in (torch.float32, torch.bfloat16):
        measure_adam(torch, 2048 if is_tiny else 1 << 28, dtype)
    return 0


def absent(reason):
    print(reason, file=sys.stderr)
    return 3


def say(row):
    print(json.dumps(row), flush=True)


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


def copies_for(size, l2):
    return max(2, min(256, 4 * l2 // size + 1))


def seconds_of(torch, calls):
    """The median time of one of `calls`, which are gone over in turn. As a graph where the call can be captured."""
    for call in calls:
        call()
    once = rounds_of(torch, lambda: [call() for call in calls], 1)[0] / len(calls)
    wanted = max(len(calls), min(MOST_CALLS, int(ROUND_SECONDS / once)))
    in_turn = [calls[i % len(calls)] for i in range(wanted)]
    run, method = captured(torch, in_turn)
    return {"seconds": statistics.median(rounds_of(torch, run, ROUNDS)) / wanted, "method": method}


def captured(torch, calls):
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            for call in calls:
                call()
        return graph.replay, "graph"
    except RuntimeError:
        torch.cuda.synchronize()
        return lambda: [call() for call in calls], "stream"


def rounds_of(torch, run, count):
    """Seconds of each round, between events; one more round warms up."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    run()
    for event in events:
        if event is not events[0]:
            run()
        event.record()
    torch.cuda.synchronize()
    return [before.elapsed_time(after) / 1e3 for before, after in zip(events, events[1:])]


def measure_copy(torch, is_tiny):
    size = 1 << 16 if is_tiny else 1 << 30
    source = torch.empty(size, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    say({"op": "torch.copy_", "name": "copy", "dtype": "bytes", "shape": [size], "bytes": 2 * size, **seconds_of(torch, [lambda: target.copy_(source)])})


def measure_matmul(torch, n, k, dtype, l2):
    exact = torch.randn(n, k, device="cuda") * 0.02
    weights = [exact.to(dtype).clone() for _ in range(copies_for(n * k * exact.to(dtype).element_size(), l2))]
    for m in LINES:
        x = torch.randn(m, k, device="cuda").to(dtype)
        out = torch.empty(m, n, device="cuda", dtype=dtype)
        calls = [lambda weight=weight: torch.matmul(x, weight.t(), out=out) for weight in weights]
        timing = seconds_of(torch, calls)
        error = relative_error(torch, x, exact, out)
        say({"op": "torch.matmul", "name": f"M={m} {n}x{k}", "dtype": name_of(dtype), "shape": [m, n, k], **timing, "relative_error": error})


def relative_error(torch, x, exact, y, sampled=64):
    """RMS(y − r) / RMS(r) over some columns, r being the float64 product with the weight before it was rounded."""
    columns = torch.arange(0, exact.shape[0], max(1, exact.shape[0] // sampled), device="cuda")
    r = x.double() @ exact[columns].double().t()
    return float((y[:, columns].double() - r).square().mean().sqrt() / r.square().mean().sqrt())


def measure_int8(torch, m, n, k, l2):
    """cublasLt wants more than 16 rows."""
    row = {"op": "torch._int_mm", "name": f"M={m} {n}x{k}", "dtype": "int8", "shape": [m, n, k]}
    if m <= 16:
        return
    sets = [integers(torch, m, n, k) for _ in range(copies_for((m + n) * k + 4 * m * n, l2))]
    say({**row, **seconds_of(torch, [lambda a=a, b=b: torch._int_mm(a, b.t()) for a, b in sets])})


def integers(torch, m, n, k):
    return tuple(torch.randint(-127, 128, (count, k), dtype=torch.int8, device="cuda") for count in (m, n))


def measure_adam(torch, size, dtype):
    param = torch.nn.Parameter((torch.randn(size, device="cuda") * 0.02).to(dtype))
    param.grad = torch.randn_like(param) * 0.001
    optimizer = torch.optim.AdamW([param], lr=1e-4, fused=True, capturable=True)
    timing = seconds_of(torch, [optimizer.step])
    width = param.element_size()
    say({"op": "torch.optim.AdamW fused", "name": "adam", "dtype": name_of(dtype), "shape": [size], "bytes": 7 * width * size, **timing})


if __name__ == "__main__":
    sys.exit(main())
