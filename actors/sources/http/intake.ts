// Feeds accepted bodies into the ingest chain, slab by slab, and tells when they are durable.
import type { ActorContext } from '../../../runtime/actor.js'

export type IntakeResult =
  | { readonly outcome: 'durable'; readonly records: number }
  /** Nothing of the body was taken. */
  | { readonly outcome: 'refused' }
  /** Some or all of it was taken, but nobody knows yet whether it is durable. */
  | { readonly outcome: 'unknown' }

export interface Intake {
  /** The body's lines become records. Settles once. */
  accept(body: Buffer): Promise<IntakeResult>
  durable(tokens: readonly number[]): void
  setFlow(open: boolean): void
  /** Refuses what has not begun; what has begun is sent to its end. */
  stop(): void
}

export interface IntakeOptions {
  readonly context: ActorContext
  readonly source: string
  readonly origin: number
  readonly slab: Uint8Array
  readonly lineBytesMax: number
  /** Longest wait for the journal. */
  readonly timeoutMs: number
}

interface Job {
  readonly body: Buffer
  readonly token: number
  at: number
  records: number
  begun: boolean
  settle(result: IntakeResult): void
}

const NEWLINE = 10
const SPACE = 32

export function createIntake(options: IntakeOptions): Intake {
  const { context, source, origin, lineBytesMax, timeoutMs } = options
  const slab = Buffer.from(options.slab.buffer, options.slab.byteOffset, options.slab.length)
  const tokens = context.local('tokens', () => ({ next: 1 }))
  const waiting = new Map<number, Job>()
  const queue: Job[] = []
  let offset = 0
  let flowOpen = true
  let scheduled = false

  function schedule(): void {
    if (scheduled || !flowOpen || queue.length === 0) return
    scheduled = true
    setImmediate(run)
  }

  function run(): void {
    scheduled = false
    const job = queue[0]
    if (job === undefined || !flowOpen) return
    try {
      if (sendSlab(job)) queue.shift()
    } catch (error) {
      return context.fail(error)
    }
    schedule()
  }

  /** Sends the next slab of a body. Returns whether it was the last one. */
  function sendSlab(job: Job): boolean {
    const { body } = job
    let used = 0
    let cut = false
    while (job.at < body.length) {
      const newline = body.indexOf(NEWLINE, job.at)
      const end = newline < 0 ? body.length : newline
      const length = end - job.at
      if (isBlank(body, job.at, end)) {
        job.at = end + 1
        continue
      }
      if (length + 1 > slab.length) {
        // A line that fits no slab goes alone, cut.
        if (used > 0) break
        used = body.copy(slab, 0, job.at, job.at + lineBytesMax)
        cut = true
      } else {
        if (used + length + 1 > slab.length) break
        used += body.copy(slab, used, job.at, end)
        slab[used++] = NEWLINE
      }
      job.records++
      job.at = end + 1
      if (cut) break
    }
    const isLast = job.at >= body.length || isBlank(body, job.at, body.length)
    if (used === 0 && !job.begun) {
      finish(job, { outcome: 'durable', records: 0 })
      return true
    }
    send(job, used, cut, isLast)
    return isLast
  }

  function send(job: Job, bytes: number, cut: boolean, isLast: boolean): void {
    const from = offset
    offset += bytes
    job.begun = true
    context.metrics.add('bytes_read_total', bytes, { source })
    context.send('parse', {
      type: 'slab',
      origin,
      bytes: options.slab.subarray(0, bytes),
      offset: from,
      endOffset: offset,
      ...(cut ? { cut: true } : {}),
      ...(isLast ? { token: job.token } : {}),
    })
  }

  function finish(job: Job, result: IntakeResult): void {
    if (waiting.delete(job.token)) job.settle(result)
  }

  /** A body that has not begun is taken back; one that has is sent to its end, unanswered. */
  function giveUp(job: Job): void {
    if (job.begun) return finish(job, { outcome: 'unknown' })
    const at = queue.indexOf(job)
    if (at >= 0) queue.splice(at, 1)
    finish(job, { outcome: 'refused' })
  }

  return {
    accept: (body) =>
      new Promise((resolve) => {
        const token = tokens.next++
        const cancel = context.clock.after(timeoutMs, () => giveUp(job))
        const settle = (result: IntakeResult): void => {
          cancel()
          resolve(result)
        }
        const job: Job = { body, token, at: 0, records: 0, begun: false, settle }
        waiting.set(token, job)
        queue.push(job)
        schedule()
      }),
    durable(done) {
      for (const token of done) {
        const job = waiting.get(token)
        if (job !== undefined) finish(job, { outcome: 'durable', records: job.records })
      }
    },
    setFlow(open) {
      flowOpen = open
      schedule()
    },
    stop() {
      for (const job of waiting.values()) if (!job.begun) giveUp(job)
    },
  }
}

function isBlank(body: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((body[at] as number) > SPACE) return false
  return true
}
