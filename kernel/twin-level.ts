// Levels in plain TypeScript: the same rules as assembly/words.ts and assembly/level.ts, for cleaning and for the twin.

/** Index = level number. */
const WORDS_BY_LEVEL = [
  '',
  'trace trc verbose',
  'debug dbg',
  'info information informational notice log',
  'warn warning wrn',
  'error err eror',
  'fatal critical crit alert emerg emergency panic dpanic severe',
]
const WORDS: Readonly<Record<string, number>> = Object.fromEntries(
  WORDS_BY_LEVEL.flatMap((words, level) => words.split(' ').map((word) => [word, level] as const)),
)
const LETTERS: Readonly<Record<string, number>> = { t: 1, d: 2, i: 3, w: 4, e: 5, f: 6 }
const SYSLOG = [6, 6, 6, 5, 4, 3, 3, 2]

function own(table: Readonly<Record<string, number>>, key: string): number {
  return Object.hasOwn(table, key) ? (table[key] ?? 0) : 0
}

/** Level of a word in any case, 0 when it is none. */
export function levelOfWord(word: string): number {
  return /^[A-Za-z]+$/.test(word) ? own(WORDS, word.toLowerCase()) : 0
}

/** Level of a word, a letter, or a number of pino, bunyan or syslog; 0 when unreadable. */
export function levelOfValue(text: string): number {
  if (/^[0-9]$/.test(text)) return SYSLOG[Number(text)] ?? 0
  if (/^[1-6][0-9]$/.test(text)) return Number(text[0])
  if (/^[A-Za-z]$/.test(text)) return own(LETTERS, text.toLowerCase())
  return levelOfWord(text)
}

/** The level in a raw JSON value (string or number), 0 when unreadable. */
export function levelOfRaw(raw: string): number {
  return raw.startsWith('"') ? levelOfValue(raw.slice(1, -1)) : levelOfValue(/^[0-9]+$/.test(raw) ? raw : '')
}

const KLOG = /^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6}/
const LOGFMT_KEY = /(?:^|[ \t,;|[({"])(?:level|lvl|severity|log_level)$/
const LOGFMT_BYTES = 512
const LEADING_BYTES = 96
const LEADING_TOKENS = 5
const COLOUR = '(?:\\x1b\\[[\\d;]{0,14}m)*'
const TOKEN = new RegExp(`^${COLOUR}((?:[[({<]${COLOUR})*)([A-Za-z]*)([^A-Za-z]?)`)

function logfmtLevel(bytes: string): number {
  for (let at = bytes.indexOf('='); at >= 0 && at < LOGFMT_BYTES; at = bytes.indexOf('=', at + 1)) {
    if (!LOGFMT_KEY.test(bytes.slice(0, at))) continue
    const value = /^"?([A-Za-z0-9]*)/.exec(bytes.slice(at + 1, at + 32))?.[1] ?? ''
    const level = levelOfValue(value)
    if (level !== 0) return level
  }
  return 0
}

function tokenLevel(rest: string): number {
  const found = TOKEN.exec(rest)
  if (found === null) return 0
  const [, brackets = '', word = '', after = ''] = found
  if (after !== '' && !' \t:])}>|\x1b'.includes(after)) return 0
  if (word !== word.toUpperCase() && brackets === '' && after !== ':') return 0
  return levelOfWord(word)
}

function leadingLevel(bytes: string): number {
  let at = 0
  const limit = Math.min(LEADING_BYTES, bytes.length)
  const isSpace = (n: number): boolean => bytes[n] === ' ' || bytes[n] === '\t'
  for (let token = 0; token < LEADING_TOKENS; token++) {
    while (at < limit && isSpace(at)) at++
    if (at >= limit) return 0
    const level = tokenLevel(bytes.slice(at))
    if (level !== 0) return level
    while (at < limit && !isSpace(at)) at++
  }
  return 0
}

/** Level of a text line, given as one character per byte (latin1); 0 when it shows none. */
export function textLevel(bytes: string): number {
  const klog = KLOG.exec(bytes)?.[1]
  if (klog !== undefined) return own(LETTERS, klog.toLowerCase())
  const logfmt = logfmtLevel(bytes)
  return logfmt !== 0 ? logfmt : leadingLevel(bytes)
}
