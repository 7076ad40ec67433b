// A tap's lines as messages that fit: whole lines packed together, and what no message can hold left out and said so among them.

export interface TapMessages {
  /** JSON texts of the form {"lines":"<ndjson>"}. */
  readonly messages: readonly string[]
  /** Lines that are in none of them. */
  readonly tooLong: number
}

/** Lines go together up to this, below the least max_payload that is accepted; a longer one goes alone. */
const PACKED_BYTES_MAX = 128 * 1024
const HEAD = '{"lines":"'
const TAIL = '"}'

/** `bytesMax`: what one message may have. A line counts as it is sent: JSON within JSON, in UTF-8. */
export function tapMessages(ndjson: string, bytesMax: number): TapMessages {
  const roomMax = bytesMax - HEAD.length - TAIL.length
  const messages: string[] = []
  let tooLong = 0
  let packed = ''
  let packedBytes = 0
  function add(line: string): void {
    const escaped = JSON.stringify(`${line}\n`).slice(1, -1)
    const bytes = Buffer.byteLength(escaped)
    if (bytes > roomMax) return void tooLong++
    if (packedBytes + bytes > Math.min(PACKED_BYTES_MAX, roomMax)) flush()
    packed += escaped
    packedBytes += bytes
  }
  function flush(): void {
    if (packed !== '') messages.push(`${HEAD}${packed}${TAIL}`)
    packed = ''
    packedBytes = 0
  }
  for (const line of ndjson.split('\n')) if (line !== '') add(line)
  if (tooLong > 0)
    add(`{"millrace_tap":{"dropped_records":${tooLong},"reason":"too_long","bytes_max":${bytesMax}}}`)
  flush()
  return { messages, tooLong }
}
