// logfmt and klog lines as JSON objects, so that their fields become the record's fields.

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** `key=value key="quoted value" flag` (logfmt, as go-kit and logrus write it). undefined when no pair is found: the line stays text. */
export function logfmtToJson(line: Uint8Array): Uint8Array | undefined {
  const text = decoder.decode(line)
  const pair = /([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)/gy
  const fields = new Map<string, string | true>()
  let at = 0
  let pairs = 0
  while (at < text.length) {
    const space = /\s*/y
    space.lastIndex = at
    at += space.exec(text)?.[0].length ?? 0
    if (at >= text.length) break
    pair.lastIndex = at
    const match = pair.exec(text)
    if (match === null) return undefined
    const [whole, key = '', quoted, bare] = match
    if (quoted !== undefined || bare !== undefined) pairs++
    if (!fields.has(key)) fields.set(key, quoted === undefined ? (bare ?? true) : unescape(quoted))
    at += whole.length
  }
  return pairs === 0 ? undefined : encoder.encode(JSON.stringify(Object.fromEntries(fields)))
}

function unescape(quoted: string): string {
  return quoted.replace(/\\(.)/g, (_, char: string) =>
    char === 'n' ? '\n' : char === 't' ? '\t' : char === 'r' ? '\r' : char,
  )
}

const KLOG = /^([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{6})\s+(\d+) ([^\s:]+:\d+)\] ?(.*)$/s
const KLOG_LEVELS: Readonly<Record<string, string>> = { I: 'INFO', W: 'WARN', E: 'ERROR', F: 'FATAL' }

/**
 * `Lmmdd hh:mm:ss.uuuuuu threadid file:line] msg` (kubernetes/klog). The header has no year: the one of `nowMs` is taken, or the
 * year before when that would lie more than a day ahead. undefined when the line has no such header.
 */
export function klogToJson(line: Uint8Array, nowMs: number): Uint8Array | undefined {
  const match = KLOG.exec(decoder.decode(line))
  if (match === null) return undefined
  const [, level = '', month = '', day = '', time = '', thread = '', caller = '', message = ''] = match
  const year = new Date(nowMs).getUTCFullYear()
  const stamp = (inYear: number) => `${inYear}-${month}-${day}T${time}Z`
  const ahead = Date.parse(stamp(year)) - nowMs > 86_400_000
  const fields = {
    timestamp: stamp(ahead ? year - 1 : year),
    level: KLOG_LEVELS[level],
    caller,
    message,
    thread_id: Number(thread),
  }
  return encoder.encode(JSON.stringify(fields))
}
