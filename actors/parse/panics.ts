// Notices the first line of a dying process's last words among scanned records: a look at the flags, and at few bytes of few lines.
import type { Scanner } from '../../kernel/scanner.js'
import { FLAG, FORMAT_CRI, WORD } from '../../kernel/table.js'
import type { PanicLanguage } from '../../protocol/messages.js'
import type { ActorContext } from '../../runtime/actor.js'
import type { OriginState } from './origin-state.js'

export interface PanicWatch {
  /** Looks through entries [0, count) of a fresh scan of container logs, and tells `capture`. */
  look(state: OriginState, count: number): void
}

/** What runtimes write first (Node: last) when a process dies of its own fault. All of it is plain text at a line's beginning. */
export const PANIC_LINES: readonly { readonly begins: string; readonly language: PanicLanguage }[] = [
  { begins: 'panic: ', language: 'go' },
  { begins: 'fatal error: ', language: 'go' },
  { begins: 'Exception in thread "', language: 'java' },
  { begins: '# A fatal error has been detected by the Java Runtime', language: 'java' },
  { begins: 'java.lang.OutOfMemoryError', language: 'java' },
  { begins: 'Terminating due to java.lang.OutOfMemoryError', language: 'java' },
  { begins: 'Traceback (most recent call last):', language: 'python' },
  { begins: '  + Exception Group Traceback (most recent call last):', language: 'python' },
  { begins: 'Fatal Python error: ', language: 'python' },
  { begins: 'Node.js v', language: 'node' },
  { begins: 'FATAL ERROR: ', language: 'node' },
  { begins: "thread '", language: 'rust' },
]

/** Rust says it only after the thread's name. */
const RUST_PANIC = Buffer.from("' panicked at ")
const RUST_PANIC_WITH_ID = /' \(\d+\) panicked at /
const RUST_LOOK_BYTES = 256

/**
 * One log is heard again after this: a program that prints a trace with every request must not flood the capture. But for a trace of
 * another language, which is no repetition. Of the same one nothing in the first line tells what is caught from what kills.
 */
const QUIET_MS = 10_000

/** By first byte, so that most lines are dismissed with one look-up. */
const BY_FIRST_BYTE: readonly (readonly { bytes: Buffer; language: PanicLanguage }[] | undefined)[] =
  Array.from({ length: 256 }, (_, byte) => {
    const found = PANIC_LINES.filter(({ begins }) => begins.charCodeAt(0) === byte)
    return found.length === 0
      ? undefined
      : found.map(({ begins, language }) => ({ bytes: Buffer.from(begins), language }))
  })

const TEXT_ON_STDERR = FLAG.STDERR | FLAG.JSON

/** Records older than `ageMaxMs` (a backlog that is read late) are none of its business. */
export function createPanicWatch(context: ActorContext, scanner: Scanner, ageMaxMs: number): PanicWatch {
  const { u8 } = scanner.kernel

  function languageOf(record: number): PanicLanguage | undefined {
    const start = scanner.word(record, WORD.START)
    const length = scanner.word(record, WORD.END) - start
    if (length === 0) return undefined
    const candidates = BY_FIRST_BYTE[u8[start] as number]
    if (candidates === undefined) return undefined
    for (const { bytes, language } of candidates) {
      if (!beginsWith(start, length, bytes)) continue
      return language === 'rust' && !isRustPanic(start, length) ? undefined : language
    }
    return undefined
  }

  function beginsWith(start: number, length: number, wanted: Buffer): boolean {
    if (length < wanted.length) return false
    for (let at = 1; at < wanted.length; at++) if (u8[start + at] !== wanted[at]) return false
    return true
  }

  function isRustPanic(start: number, length: number): boolean {
    const line = Buffer.from(u8.buffer, start, Math.min(length, RUST_LOOK_BYTES))
    return line.includes(RUST_PANIC) || RUST_PANIC_WITH_ID.test(line.toString('latin1'))
  }

  function tell(state: OriginState, record: number, language: PanicLanguage): void {
    const atMs = Number(scanner.tsNs(record) / 1_000_000n)
    if (context.clock.now() - atMs > ageMaxMs) return
    const now = context.clock.monotonic()
    const { namespace, pod_name, pod_uid, container_name } = state.origin.trusted
    if (pod_uid === undefined) return
    if (now >= state.panicQuietUntilMs) {
      state.panicQuietUntilMs = now + QUIET_MS
      state.panicsHeard = []
    }
    if (state.panicsHeard.includes(language)) return
    state.panicsHeard.push(language)
    context.send('capture', {
      type: 'panic',
      language,
      namespace: namespace ?? 'unknown',
      podName: pod_name ?? 'unknown',
      podUid: pod_uid,
      containerName: container_name ?? 'unknown',
      atMs,
    })
  }

  return {
    look(state, count) {
      if (state.format !== FORMAT_CRI || state.origin.trusted.pod_uid === undefined) return
      for (let record = 0; record < count; record++) {
        if ((scanner.flags(record) & TEXT_ON_STDERR) !== FLAG.STDERR) continue
        const language = languageOf(record)
        if (language !== undefined) tell(state, record, language)
      }
    },
  }
}
