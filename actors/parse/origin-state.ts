// What parse keeps of an origin: its scan settings and what is open in it.
import { FORMAT_CRI, FORMAT_LINES } from '../../kernel/table.js'
import type { Origin, PanicLanguage } from '../../protocol/messages.js'
import { trustOf } from '../trust.js'
import { type Carries, NO_CARRY } from './carry.js'

export interface OriginState {
  origin: Origin
  readonly trust: number
  readonly format: number
  readonly start: RegExp | undefined
  carries: Carries
  /** The log's file before, whose open pieces this one takes over with its first slab. */
  takesFrom: OriginState | undefined
  /** Monotonic ms at which the open groups last grew; they end after the origin's wait. */
  grewAtMs: number
  /** Position after the last line seen; where a timed-out group's record ends. */
  offset: number
  /** Monotonic ms until which its last words are not listened for again. */
  panicQuietUntilMs: number
  /** Since the quiet began. */
  panicsHeard: PanicLanguage[]
  /** True when entries need a look each: groups, fields from logfmt or klog, plain text. */
  readonly special: boolean
}

export function originState(origin: Origin, carries: Carries = NO_CARRY): OriginState {
  return {
    origin,
    trust: trustOf(origin),
    format: origin.format === 'cri' ? FORMAT_CRI : FORMAT_LINES,
    start: origin.multiline === undefined ? undefined : new RegExp(origin.multiline.start),
    carries,
    takesFrom: undefined,
    grewAtMs: 0,
    offset: 0,
    panicQuietUntilMs: 0,
    panicsHeard: [],
    special: origin.multiline !== undefined || (origin.content !== 'auto' && origin.content !== 'json'),
  }
}
