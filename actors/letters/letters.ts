// The actor `letters`: puts the node's dead letters into the stream that all nodes share; the folder stays first, and keeps what does not go.
import { existsSync } from 'node:fs'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { NatsConnection } from 'nats'
import type { NatsOptions } from '../../protocol/config/nats.js'
import { MillraceError, saidOf } from '../../protocol/errors.js'
import { DEAD_LETTERS_STREAM } from '../../protocol/subjects.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { lettersFolder } from '../../runtime/dead-letters.js'
import { withLetterLock } from '../../runtime/letter-lock.js'
import { openStreamsFor } from '../../runtime/nats/open-streams.js'
import { backoffMs } from '../../runtime/retry.js'
import { STREAM_FULL } from '../buffer/publish-fault.js'
import { natsLine } from '../nats-line.js'
import { createStatusLine } from '../status-line.js'
import { countLetters } from './letter-count.js'
import { type LetterStream, openLetterStream } from './letter-stream.js'
import { createShipping } from './shipping.js'

export interface LettersPlan {
  readonly nats: NatsOptions
}

/** A letter is as safe as the folder is until it has left: not for long, where that goes with its pod. */
const TICK_MS = 500
const FIGURES_MS = 30_000
/** A full stream, a server without a leader. */
const RETRY = { initial: 1000, max: 60_000 }
/** At the end of the node. */
const STOP_MS = 5000

/** Writes to `supervisor`: status. */
export function letters(context: ActorContext, { nats }: LettersPlan): Actor {
  const { clock, log, metrics, node, epoch } = context
  const root = lettersFolder(node.dataDir)
  const timers: (() => void)[] = []
  let stream: LetterStream | undefined
  let away: string | undefined = 'connecting to NATS'
  let fault: string | undefined
  let failures = 0
  let notBeforeMs = 0
  let running: Promise<void> | undefined
  let leave: () => Promise<void> = () => Promise.resolve()
  const tellStatus = createStatusLine(context)
  let sharedLetters = 0

  const shipping = createShipping({
    root,
    // The audit has its own beside them: `<backend>@audit`.
    shipped: (folder, count) =>
      metrics.add('dead_letters_shared_total', count, { backend: folder.replace(/(?<=.)@.*$/, '') }),
  })

  async function up(connection: NatsConnection): Promise<void> {
    await openStreamsFor(['dead_letters'], connection, nats, (what) => log.info({ event: 'nats' }, what))
    stream = await openLetterStream(connection, node.clusterId)
    failures = 0
    notBeforeMs = 0
    void figures()
  }

  async function ship(to: LetterStream): Promise<void> {
    if (!(await shipping.isDue())) return
    try {
      // A command that takes letters out goes first: what it has just sent again must not come into the stream after it.
      const waitMs = 0
      const count = await withLetterLock({ root, clock, epoch, waitMs }, () =>
        shipping.run((letter) => to.put(node.id, letter)),
      )
      if (count > 0) log.info({ event: 'letters', letters: count }, 'dead letters are in the stream')
      fault = undefined
      failures = 0
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'dlq.locked') return
      failures++
      notBeforeMs = clock.monotonic() + backoffMs(RETRY, failures, () => context.random())
      metrics.add('dead_letters_share_failed_total', 1)
      const why = reasonOf(error)
      if (why !== fault) log.error({ event: 'letters', reason: why }, 'dead letters stay in the folder')
      fault = why
    }
    report()
  }

  function tick(): void {
    const to = stream
    if (to === undefined || running !== undefined || clock.monotonic() < notBeforeMs) return
    running = ship(to)
      .catch((error: unknown) => log.error({ err: error }, 'looking for dead letters failed'))
      .finally(() => (running = undefined))
  }

  async function figures(): Promise<void> {
    const found = await stream?.figures().catch(() => undefined)
    if (found === undefined) return
    sharedLetters = found.letters
    metrics.set('dead_letters_stream_letters', found.letters)
    metrics.set('dead_letters_stream_bytes', found.bytes)
    report()
  }

  function report(): void {
    const reason = away === undefined ? fault : `${away}; dead letters stay in the folder`
    const detail = { connected: away === undefined, streamLetters: sharedLetters, failures }
    tellStatus(detail, reason)
  }

  /** What the thread before this one held when it died: nobody but its successor may take that from a process that lives. */
  async function inherit(): Promise<void> {
    if (existsSync(root)) await withLetterLock({ root, clock, epoch, waitMs: 0 }, async () => undefined)
  }

  return {
    start() {
      // Somebody else has it: then there is nothing to inherit.
      inherit().catch(() => undefined)
      leave = natsLine(context, nats).join({
        up,
        down: () => void (stream = undefined),
        trouble(reason) {
          away = reason
          report()
        },
      })
      timers.push(
        clock.every(TICK_MS, tick),
        clock.every(FIGURES_MS, () => void figures()),
      )
      timers.push(countLetters(context))
      report()
    },
    on: {},
    /** After the writers: the folder may go with the pod. */
    async stop() {
      for (const cancel of timers) cancel()
      let cancelWait: () => void = () => undefined
      const late = new Promise<void>((resolve) => (cancelWait = clock.after(STOP_MS, resolve)))
      const last = async (): Promise<void> => {
        await running
        if (stream !== undefined && failures === 0) await ship(stream)
      }
      await Promise.race([last(), late])
      cancelWait()
      await leave()
    },
  }
}

function reasonOf(error: unknown): string {
  const text = saidOf(error)
  if (error instanceof JetStreamApiError && STREAM_FULL.has(error.code))
    return `the stream ${DEAD_LETTERS_STREAM} is full (${text}): dead letters stay in the folder; re-drive or purge some, or raise nats.streams.dead_letters_bytes_max`
  return `the stream ${DEAD_LETTERS_STREAM} does not take dead letters (${text})`
}
