// Timestamps with nanoseconds as the container runtime writes them.

export const STAMP_BYTES = 30

/** `2026-01-02T03:04:05.678901234Z` of ns since the epoch. */
export function stampText(timeNs: bigint): string {
  const seconds = new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`
}
