// Why the record in work must be cleaned: SLOW_REASON bits gathered while it is scanned.

export let slowBits: u32 = 0

export function addSlow(bits: u32): void {
  slowBits |= bits
}

export function clearSlow(): void {
  slowBits = 0
}
