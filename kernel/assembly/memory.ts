// Copies, text constants and the end of the module's own data.

/** First byte after the module's static data: JavaScript allocates from here. Nothing in the kernel uses AssemblyScript's heap. */
export function heapBase(): usize {
  return __heap_base
}

const LITERALS: usize = memory.data(4096, 16)
let literalsAt: usize = LITERALS

/** Puts an ASCII text constant into static memory at start, padded so that 16-byte loads stay inside. */
export function literal(text: string): usize {
  const at = literalsAt
  const length = text.length
  for (let i = 0; i < length; i++) store<u8>(at + i, <u8>text.charCodeAt(i))
  literalsAt = at + ((length + 16) & ~15)
  return at
}

/** Copies `length` bytes with whole vectors: up to 15 bytes past both ranges are touched. Ranges do not overlap. Returns `to + length`. */
export function copy(to: usize, from: usize, length: usize): usize {
  const end = to + length
  if (length > 1024) {
    memory.copy(to, from, length)
    return end
  }
  while (to < end) {
    v128.store(to, v128.load(from))
    to += 16
    from += 16
  }
  return end
}
