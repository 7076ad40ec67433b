// The time of a record in a frame's index, exactly.

/** `entry` is the address of an index entry. Whole ms since the epoch: rounding ns to a double could move a record over midnight. */
export function entryTimeMs(view: DataView, entry: number): number {
  const ns = view.getBigInt64(entry, true)
  return Number(ns >= 0n ? ns / 1_000_000n : (ns - 999_999n) / 1_000_000n)
}
