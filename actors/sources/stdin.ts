// The stdin source: reads lines from descriptor 0 until it ends.
import type { Readable } from 'node:stream'
import type { RecordsOptions } from '../../protocol/config/node.js'
import type { StdinSourceOptions } from '../../protocol/config/sources.js'
import { systemCode } from '../../protocol/errors.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { lineFormat, multilineOf, statedFields } from './fields.js'
import { nextOriginId, slabOf } from './slab.js'
import { closeInput, openInput } from './stdin/input.js'
import { createLineWindow } from './stdin/line-window.js'
import type { Piece } from './tail/reader.js'

export interface StdinSource {
  readonly name: string
  readonly options: StdinSourceOptions
  readonly records: RecordsOptions
  /** Another descriptor than 0. */
  readonly fd?: number
}

/** What was read from a pipe and is not yet in the journal is lost in a crash: a pipe has no positions. */
export function stdinSource(context: ActorContext, { name, options, records, fd = 0 }: StdinSource): Actor {
  const slab = slabOf(context, records)
  const window = createLineWindow(slab.length, records.line_bytes_max)
  const origin = nextOriginId(context)
  let input: Readable | undefined
  let ended = false
  let flowOpen = true

  function announce(): void {
    const stated = statedFields(options.fields)
    const trusted = { node_name: context.node.id, ...stated.trusted }
    const format = { ...lineFormat(options.format), ...multilineOf(options.multiline) }
    context.send('parse', {
      type: 'origin',
      origin: { id: origin, source: name, ...format, ...stated, trusted },
    })
    context.send('supervisor', { type: 'status', actor: context.name, ready: true, detail: {} })
  }

  function send(piece: Piece, last: boolean): void {
    context.metrics.add('bytes_read_total', piece.bytes, { source: name })
    context.send('parse', {
      type: 'slab',
      origin,
      bytes: slab.subarray(0, piece.bytes),
      offset: piece.offset,
      endOffset: piece.endOffset,
      ...(piece.cut ? { cut: true } : {}),
      ...(last ? { last: true } : {}),
    })
  }

  function arrived(chunk: Uint8Array): void {
    let rest = chunk
    while (rest.length > 0) {
      rest = rest.subarray(window.put(rest))
      for (let piece = window.take(slab); piece !== undefined; piece = window.take(slab)) send(piece, false)
    }
  }

  /** The unfinished last line is a record too. */
  function end(): void {
    if (ended) return
    ended = true
    release()
    send(window.rest(slab), true)
    context.send('parse', { type: 'origin_closed', origin, done: true })
    context.send('supervisor', { type: 'idle', actor: context.name, idle: true })
    context.send('parse', { type: 'end_of_input' })
  }

  function release(): void {
    if (input !== undefined) closeInput(input)
    input = undefined
  }

  function failed(error: unknown): void {
    const reason = systemCode(error) ?? 'read'
    context.metrics.add('source_errors_total', 1, { source: name, reason })
    context.log.warn({ source: name, reason }, 'standard input cannot be read; taken for its end')
    end()
  }

  function guarded<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      try {
        if (!ended) run(...args)
      } catch (error) {
        context.fail(error)
      }
    }
  }

  return {
    start() {
      announce()
      try {
        input = openInput(fd)
      } catch (error) {
        return failed(error)
      }
      input.on('data', guarded(arrived))
      input.on('end', guarded(end))
      input.on('error', guarded(failed))
      if (!flowOpen) input.pause()
    },
    on: {
      flow(message) {
        flowOpen = message.open
        if (flowOpen) input?.resume()
        else input?.pause()
      },
      drain: guarded(end),
      durable() {},
      positions() {},
      end_of_input() {},
    },
    stop() {
      ended = true
      release()
    },
  }
}
