// Pushes numbered records to a node over HTTP as a client would: repeats what was refused, and keeps apart what nobody can know.
import { gzipSync } from 'node:zlib'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Key } from './oracle.js'

export interface Pusher {
  /** Answered 200. */
  readonly pushed: Set<Key>
  /** The answer was lost, or said that it is not known. */
  readonly unsure: Set<Key>
  readonly answers: Map<string, number>
  /** Ends after the request in flight; what waits to be repeated is given up: it was refused, so it must not be there. */
  stop(): Promise<void>
}

export interface PusherOptions {
  /** host:port of the source. */
  readonly address: string
  readonly namespace: string
  /** Of the first record's timestamp. */
  readonly startMs: number
  readonly random: () => number
}

const PAUSE_MS = 120
const RECORDS_MAX = 25
const ANSWER_WITHIN_MS = 6000

type Outcome = 'stored' | 'refused' | 'unsure'

export function startPusher({ address, namespace, startMs, random }: PusherOptions): Pusher {
  const pushed = new Set<Key>()
  const unsure = new Set<Key>()
  const answers = new Map<string, number>()
  const ending = new AbortController()
  let seq = 0

  function fresh(): { first: number; lines: string[] } {
    const first = seq
    seq += 1 + Math.floor(random() * RECORDS_MAX)
    const lines = Array.from({ length: seq - first }, (_, n) => {
      const ts = new Date(startMs + (first + n) * 2).toISOString()
      return JSON.stringify({ ts, level: 'info', msg: `pushed "${first + n}"`, seq: first + n })
    })
    return { first, lines }
  }

  async function push(lines: readonly string[]): Promise<Outcome> {
    const asArray = random() < 0.3
    const packed = random() < 0.3
    const text = asArray ? `[${lines.join(',')}]` : lines.join('\n')
    const headers = {
      'content-type': asArray ? 'application/json' : 'application/x-ndjson',
      ...(packed ? { 'content-encoding': 'gzip' } : {}),
    }
    const body = packed ? gzipSync(text) : text
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS)
    try {
      const answer = await fetch(`http://${address}/ingest`, { method: 'POST', headers, body, signal })
      const said = await answer.text()
      count(String(answer.status))
      if (answer.status === 200) return 'stored'
      return answer.status === 429 || said.includes('shutting down') ? 'refused' : 'unsure'
    } catch (error) {
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name
      count(cause)
      return cause === 'ECONNREFUSED' ? 'refused' : 'unsure'
    }
  }

  const count = (answer: string) => void answers.set(answer, (answers.get(answer) ?? 0) + 1)

  async function run(): Promise<void> {
    let waiting: ReturnType<typeof fresh> | undefined
    while (!ending.signal.aborted) {
      const batch = waiting ?? fresh()
      waiting = undefined
      const outcome = await push(batch.lines)
      if (outcome === 'refused') waiting = batch
      else {
        const into = outcome === 'stored' ? pushed : unsure
        for (let n = 0; n < batch.lines.length; n++) into.add(`${namespace}:${batch.first + n}`)
      }
      await sleep(PAUSE_MS, undefined, { signal: ending.signal }).catch(() => undefined)
    }
  }

  const done = run()
  return {
    pushed,
    unsure,
    answers,
    stop() {
      ending.abort()
      return done
    },
  }
}
