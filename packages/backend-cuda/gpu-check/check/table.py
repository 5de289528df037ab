"""The benchmark's rows beside floors and PyTorch's."""
from .targets import Figures, Missing

# The peer of an operation: its name and dtype there.
PEERS = {
    "gemm_4bit": lambda name, dtype: ("torch.matmul", name.removeprefix("nf4 nested ").removeprefix("nf4 "), dtype),
    "int8_linear_matmul": lambda name, dtype: ("torch._int_mm", name, "int8"),
    "optimizer_update_32bit": lambda name, dtype: ("torch.optim.AdamW fused", name, dtype),
}  # fmt: skip
READING = ("gemm_4bit", "int8_linear_matmul", "int8_mixed_scaled_mm")


def with_ratios(rows, peers):
    """Gigabytes per second, shares of floors, and how many times faster than a peer."""
    figures = Figures(rows, peers)
    return [{**row, **ratios(figures, row)} if "seconds" in row else row for row in rows]


def ratios(figures, row):
    found = {}
    if row["bytes"]:
        found["gigabytes_per_second"] = round(row["bytes"] / row["seconds"] / 1e9, 1)
    if row["operations"]:
        found["tera_operations_per_second"] = round(row["operations"] / row["seconds"] / 1e12, 3)
    if row["op"] == "floor":
        return found
    return {**found, **of_floors(figures, row), **beside_peer(figures, row)}


def of_floors(figures, row):
    """1: as fast as the floor."""
    try:
        bandwidth = figures.bandwidth("read" if row["op"] in READING else "copy")
    except Missing:
        return {}
    found = {"of_bandwidth": round(row["bytes"] / row["seconds"] / bandwidth, 3)}
    peak = figures.rows.get(("floor", f"mma {row['dtype']}", row["dtype"]))
    if row["operations"] and peak:
        found["of_mma_peak"] = round(row["operations"] / row["seconds"] * peak["seconds"] / peak["operations"], 3)
    return found


def beside_peer(figures, row):
    name = PEERS.get(row["op"])
    peer = figures.peers.get(name(row["name"], row["dtype"])) if name else None
    if not peer:
        return {}
    beside = {"peer": peer["op"], "peer_seconds": peer["seconds"], "times_faster": round(peer["seconds"] / row["seconds"], 3)}
    return {**beside, **unpacked_first(figures, row, peer)}


def unpacked_first(figures, row, peer):
    """Dequantizing and a dense product, each measured alone: what a caller without a fused kernel pays."""
    decoding = figures.rows.get(("dequantize_4bit", "nf4 block 64", row["dtype"]))
    if row["op"] != "gemm_4bit" or not decoding or "seconds" not in decoding:
        return {}
    _, n, k = row["shape"]
    seconds = decoding["seconds"] * n * k / decoding["shape"][0] + peer["seconds"]
    return {"dequantize_and_matmul_seconds": seconds, "times_faster_than_both": round(seconds / row["seconds"], 3)}


def lines(rows):
    """As text, a line for each row."""
    for row in rows:
        title = f"{row['op']} {row['name']} {row['dtype']}"
        if "seconds" not in row:
            yield f"  {title:62} status {row['status']}"
            continue
        shown = {"of_bandwidth": "of bandwidth", "of_mma_peak": "of mma peak", "times_faster": f"x {row.get('peer', '')}"}
        ratios_said = "  ".join(f"{row[name]:.2f} {said}" for name, said in shown.items() if name in row)
        yield f"  {title:62} {1e6 * row['seconds']:10.1f} us  {ratios_said}"
