// Frame slots: a fixed arena of shared memory in which sealed frames are handed from the ingest thread to the journal and the writers.
import { MillraceError } from '../protocol/errors.js'

export interface SlotsOptions {
  readonly count: number
  readonly rawBytesMax: number
  readonly encodedBytesMax: number
}

/** What each thread gets: everything here may be posted to a worker as it is. */
export interface SlotsArena extends SlotsOptions {
  readonly memory: SharedArrayBuffer
  readonly states: SharedArrayBuffer
}

export interface Slots {
  readonly options: SlotsOptions
  /** Takes a free slot for this owner epoch (> 0), or −1 when none is free: the caller waits for `committed`. */
  acquire(epoch: number): number
  /** Gives a slot back; only the journal does so once a frame was handed over. */
  release(slot: number): void
  /** Changes whenever the slot is acquired: whoever copied knows by it whether the slot was still the frame's in the end. */
  generation(slot: number): number
  /** Frees what an ingest epoch older than this one took and never handed over. Returns how many. */
  reclaim(epochBefore: number): number
  /** The journal takes a slot over from its ingest epoch, so that `reclaim` leaves it alone. */
  adopt(slot: number): void
  free(): number
  raw(slot: number): Uint8Array
  encoded(slot: number): Uint8Array
}

/** The first words of `states`, one a slot, and behind them the slots' generations: 0 free, epoch > 0 being filled by the ingest thread of that epoch, ADOPTED the journal's. */
const FREE = 0
const ADOPTED = -1

export function createArena(options: SlotsOptions): SlotsArena {
  const bytes = options.count * (options.rawBytesMax + options.encodedBytesMax)
  return {
    ...options,
    memory: new SharedArrayBuffer(bytes),
    states: new SharedArrayBuffer(options.count * 2 * 4),
  }
}

export function openSlots(arena: SlotsArena): Slots {
  const states = new Int32Array(arena.states)
  const slotBytes = arena.rawBytesMax + arena.encodedBytesMax
  const raws = Array.from(
    { length: arena.count },
    (_, n) => new Uint8Array(arena.memory, n * slotBytes, arena.rawBytesMax),
  )
  const encodeds = Array.from(
    { length: arena.count },
    (_, n) => new Uint8Array(arena.memory, n * slotBytes + arena.rawBytesMax, arena.encodedBytesMax),
  )
  return {
    options: arena,
    acquire(epoch) {
      for (let slot = 0; slot < arena.count; slot++) {
        if (Atomics.compareExchange(states, slot, FREE, epoch) !== FREE) continue
        Atomics.add(states, arena.count + slot, 1)
        return slot
      }
      return -1
    },
    release: (slot) => void Atomics.store(states, slot, FREE),
    // A read that also writes: the copy before it cannot be moved behind it.
    generation: (slot) => Atomics.add(states, arena.count + slot, 0),
    adopt: (slot) => void Atomics.store(states, slot, ADOPTED),
    reclaim(epochBefore) {
      let reclaimed = 0
      for (let slot = 0; slot < arena.count; slot++) {
        const state = Atomics.load(states, slot)
        if (state > 0 && state < epochBefore && Atomics.compareExchange(states, slot, state, FREE) === state)
          reclaimed++
      }
      return reclaimed
    },
    free() {
      let free = 0
      for (let slot = 0; slot < arena.count; slot++) if (Atomics.load(states, slot) === FREE) free++
      return free
    },
    raw: (slot) => raws[slot] as Uint8Array,
    encoded: (slot) => encodeds[slot] as Uint8Array,
  }
}

/**
 * To be asked after a copy out of a slot: else what was copied is no frame, or another one. It must neither be sent under this frame's ids
 * nor be called corrupt. Throws `writer.slot`.
 */
export function demandUnchanged(slots: Slots, { seq, slot, generation }: LentFrame): void {
  if (slot === undefined || slots.generation(slot) === generation) return
  const text = `frame ${seq}: its slot ${slot} was filled again before it was copied; the writer starts anew and gets it again`
  throw new MillraceError('writer.slot', text)
}

interface LentFrame {
  readonly seq: number
  readonly slot?: number | undefined
  readonly generation?: number | undefined
}

/** Gives every slot back, whoever held it. Only while no thread runs. */
export function freeSlots(arena: SlotsArena): void {
  new Int32Array(arena.states, 0, arena.count).fill(FREE)
}
