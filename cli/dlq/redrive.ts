// Sends dead letters to their backends again: records of one frame together, each under its own id.
import { createRebuilder, type RebuildRecord } from '../../actors/writers/rebuild.js'
import { openSender, type Sender } from '../../actors/writers/sender.js'
import type { Config } from '../../protocol/config/schema.js'
import { systemClock } from '../../runtime/clock.js'
import { letterId } from '../../runtime/letter-store.js'
import { createLogger } from '../../runtime/log.js'
import { createMetrics } from '../../runtime/metrics.js'
import type { FoundLetter } from './letters.js'

export interface RedriveResult {
  sent: number
  refused: number
  /** The backend did not answer in time. */
  open: number
  /** Of backends that are not configured, or that cannot be sent single records. */
  strangers: number
  /** Refused again, by reason. */
  readonly reasons: Record<string, number>
}

export interface Redrive {
  /** Adds to the result; returns the letters that their backend has now. */
  send(letters: readonly FoundLetter[], result: RedriveResult): Promise<FoundLetter[]>
  close(): Promise<void>
}

const WAIT_MS = 60_000

export function openRedrive(config: Config, signal: AbortSignal): Redrive {
  const senders = new Map<string, Sender>()
  const rebuilder = createRebuilder()

  async function senderOf(backend: string): Promise<Sender | undefined> {
    const known = senders.get(backend)
    const options = Object.hasOwn(config.backends, backend) ? config.backends[backend] : undefined
    if (known !== undefined) return known
    if (options === undefined || options.type === 'archive') return undefined
    const sender = await openSender({
      name: backend,
      options,
      nodeId: config.node.id,
      clock: systemClock,
      random: Math.random,
      log: createLogger('silent'),
      metrics: createMetrics(),
    })
    senders.set(backend, sender)
    return sender
  }

  async function sendFrame(
    sender: Sender,
    frame: string,
    letters: readonly FoundLetter[],
    result: RedriveResult,
  ): Promise<FoundLetter[]> {
    const byNumber = new Map(letters.map((stored) => [stored.letter.n, stored]))
    const records: RebuildRecord[] = [...byNumber].map(([n, { letter }]) => ({ n, line: letter.record }))
    const away = new Set<number>()
    const refuse = (n: number, reason: string): void => {
      away.add(n)
      result.refused++
      result.reasons[reason] = (result.reasons[reason] ?? 0) + 1
    }
    for (const { encoded, numbers } of rebuilder.rebuild(frame, records, (n) => refuse(n, 'unreadable'))) {
      const sent = await sender.send(encoded, numbers, WAIT_MS)
      for (const { n, reason } of sent.refused) refuse(n, reason)
      if (sent.open === 0) continue
      // Which ones are open is not known: none of this frame counts as taken.
      result.open += sent.open
      for (const n of numbers) away.add(n)
    }
    const taken = letters.filter(({ letter }) => !away.has(letter.n))
    result.sent += new Set(taken.map(({ letter }) => letter.n)).size
    return taken
  }

  return {
    async send(letters, result) {
      const taken: FoundLetter[] = []
      const byFrame = new Map<string, FoundLetter[]>()
      for (const stored of letters) {
        const key = `${stored.letter.backend} ${stored.letter.frame}`
        byFrame.set(key, [...(byFrame.get(key) ?? []), stored])
      }
      for (const some of byFrame.values()) {
        if (signal.aborted) break
        const [first] = some
        const sender = first === undefined ? undefined : await senderOf(first.letter.backend)
        if (first === undefined || sender === undefined)
          result.strangers += new Set(some.map(({ letter }) => letterId(letter))).size
        else taken.push(...(await sendFrame(sender, first.letter.frame, some, result)))
      }
      return taken
    },
    async close() {
      await Promise.all([...senders.values()].map((sender) => sender.close()))
    },
  }
}
