// Makes hostile input from a seed: texts that are nearly right, bytes that are not, and every mixture.
export interface Hostile {
  readonly random: () => number
  /** A whole number in [from, to]. */
  between(from: number, to: number): number
  oneOf<Item>(items: readonly Item[]): Item
  /** Some bytes of `text` changed, left out, doubled or swapped for others that mean something. */
  mutated(text: Uint8Array, changes: number): Buffer
  bytes(length: number): Buffer
  /** JSON of any shape and depth, as a text. */
  json(depth: number): string
}

const TELLING = [
  ...['"', '\\', '{', '}', '[', ']', ',', ':', '\u0000', '\u001f', '\r', '\t', ' ', '-', 'e', '.', '0', '9'],
  ...['\\u0000', '\\ud800', '\u00e9', '\u{1f4a5}', '${', 'null', 'true', '1e999', '__proto__'],
].map((text) => Buffer.from(text))
const BROKEN = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]].map(
  (each) => Buffer.from(each),
)
const KEYS = [
  'ts',
  'level',
  'msg',
  'message',
  'timestamp',
  'namespace',
  'log_level',
  'trace_id',
  'a',
  '',
  'é',
]

export function createHostile(random: () => number): Hostile {
  const between = (from: number, to: number) => Math.floor(from + random() * (to - from + 1))
  const oneOf = <Item>(items: readonly Item[]) => items[between(0, items.length - 1)] as Item

  function change(text: Buffer): Buffer {
    const at = between(0, text.length)
    const to = Math.min(text.length, at + between(0, 4))
    const into = oneOf([oneOf(TELLING), oneOf(BROKEN), Buffer.from([between(0, 255)]), text.subarray(at, to)])
    return Buffer.concat([text.subarray(0, at), into, text.subarray(random() < 0.5 ? at : to)])
  }

  function json(depth: number): string {
    const kind = depth <= 0 ? between(0, 4) : between(0, 6)
    if (kind === 0) return oneOf(['0', '-1', '1.5e3', '1e400', '00', '123456789012345678901234567890'])
    if (kind === 1) return oneOf(['true', 'false', 'null', 'nul', 'NaN'])
    if (kind <= 4) return JSON.stringify(oneOf([...KEYS, '2026-11-23T10:00:00Z', 'error', '\u2028"\\']))
    const count = between(0, 4)
    const each = (make: () => string) => Array.from({ length: count }, make).join(oneOf([',', ', ', ' ,']))
    if (kind === 5) return `[${each(() => json(depth - 1))}]`
    return `{${each(() => `${JSON.stringify(oneOf(KEYS))}:${json(depth - 1)}`)}}`
  }

  return {
    random,
    between,
    oneOf,
    mutated(text, changes) {
      let result: Buffer = Buffer.from(text)
      for (let n = 0; n < changes; n++) result = change(result)
      return result
    },
    bytes: (length) => Buffer.from(Array.from({ length }, () => between(0, 255))),
    json,
  }
}
