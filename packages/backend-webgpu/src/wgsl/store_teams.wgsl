// What the lanes of 8 teams have summed for two columns a team goes to the output. Needs a `leave` and a `collected`; uniform control flow only.

fn store_teams(tile: u32, plane: u32, lane: u32, sums: array<vec2f, ROWS>) {
  for (var first = 0u; first < ROWS; first += ROWS_AT_ONCE) {
    let count = min(ROWS_AT_ONCE, ROWS - first);
    for (var i = 0u; i < count; i++) { leave(i, lane, sums[first + i]); }
    workgroupBarrier();
    if (lane < 8u * count) {
      let total = collected(lane / 8u, lane % 8u);
      store_pair(first + lane / 8u, tile * 16u + lane % 8u * 2u, plane, total.x, total.y);
    }
    // The next rows go to the same place.
    workgroupBarrier();
  }
}
