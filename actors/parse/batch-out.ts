// Sends scanned entries on to enrich as batches, with the positions that they stand for.
import type { InputRegion, Scanner } from '../../kernel/scanner.js'
import type { FileIdentity } from '../../protocol/positions.js'
import type { ActorContext } from '../../runtime/actor.js'
import { type Carries, NO_CARRY } from './carry.js'
import type { OriginState } from './origin-state.js'

export interface BatchOut {
  /** Where the entries of the coming flushes lie. */
  open(state: OriginState, place: { base: number; offset: number }): void
  /** Cleans what must be cleaned and sends entries [from, to); the scratch is free again afterwards. */
  flush(from: number, to: number): void
  /** The carry that holds after the records flushed from now on. */
  carry(carries: Carries): void
  /** Room in the scratch for a record; flushes nothing: callers flush before it is full. */
  room(): number
  /** Copies pieces to the scratch one after the other; returns [start, end). */
  put(pieces: readonly Uint8Array[]): [number, number]
  /** Says how far the origin has been read, without records. */
  position(state: OriginState, at: { endOffset: number; token?: number; identity?: FileIdentity }): void
}

export function createBatchOut(context: ActorContext, scanner: Scanner, scratch: InputRegion): BatchOut {
  let origin = 0
  let trust = 0
  let base = 0
  let offset = 0
  let carries: Carries = NO_CARRY
  let used = 0
  function send(from: number, to: number): void {
    context.send('enrich', { type: 'batch', origin, from, to, base, offset, endOffset: -1, carry: carries })
  }
  return {
    open(state, place) {
      origin = state.origin.id
      trust = state.trust
      base = place.base
      offset = place.offset
      carries = state.carries
      used = 0
    },
    flush(from, to) {
      for (let at = from; at < to; ) {
        const next = scanner.cleanSlow(at, to, trust)
        if (next === at) throw new Error('a record does not fit the cleaning area')
        send(at, next)
        at = next
      }
      used = 0
    },
    carry(next) {
      carries = next
    },
    room: () => scratch.bytes.length - used,
    put(pieces) {
      const start = used
      for (const piece of pieces) {
        scratch.bytes.set(piece, used)
        used += piece.length
      }
      return [scratch.ptr + start, scratch.ptr + used]
    },
    position(state, at) {
      context.send('enrich', {
        type: 'batch',
        origin: state.origin.id,
        from: 0,
        to: 0,
        base: 0,
        offset: 0,
        carry: state.carries,
        endOffset: at.endOffset,
        ...(at.token === undefined ? {} : { token: at.token }),
        ...(at.identity === undefined ? {} : { identity: at.identity }),
      })
    },
  }
}
