// Which frames this process has from its consumer: each goes to the writer once, however often and on however many messages it comes.

/** A message as far as acknowledging it goes. */
export interface Delivery {
  readonly streamSeq: number
  /** Where to acknowledge. */
  readonly reply: string
}

export interface HeldFrame {
  /** As the writer knows it. */
  readonly seq: number
  readonly id: string
  readonly rawBytes: number
  /** By stream sequence: a frame that was published twice outside the server's window lies in two messages. */
  readonly deliveries: Map<number, Delivery>
  /** The subject of a frame whose pieces lie in the stream of parts. */
  readonly partsOf: string | undefined
}

export interface Holding {
  /** `done`: the backend has it already, acknowledge; `held`: it is on its way, and this delivery is acknowledged with it. */
  knows(id: string, delivery: Delivery): 'done' | 'held' | 'new'
  begin(frame: { id: string; rawBytes: number; delivery: Delivery; partsOf: string | undefined }): HeldFrame
  /** Undefined: not (or no longer) held. */
  done(seq: number): HeldFrame | undefined
  /** Forgets all that is held, and returns it. */
  drop(): HeldFrame[]
  all(): Iterable<HeldFrame>
  frames(): number
  rawBytes(): number
}

/**
 * `firstSeq`: a life of this actor begins with a number that no earlier life has used, since the writer may outlive it.
 * `doneMax`: frames remembered after they are done, for acknowledgements that got lost.
 */
export function createHolding(firstSeq: number, doneMax: number): Holding {
  const bySeq = new Map<number, HeldFrame>()
  const byId = new Map<string, HeldFrame>()
  const done = new Set<string>()
  let nextSeq = firstSeq
  let bytes = 0

  function remember(id: string): void {
    done.add(id)
    for (const oldest of done) {
      if (done.size <= doneMax) return
      done.delete(oldest)
    }
  }

  return {
    knows(id, delivery) {
      if (done.has(id)) return 'done'
      const held = byId.get(id)
      if (held === undefined) return 'new'
      held.deliveries.set(delivery.streamSeq, delivery)
      return 'held'
    },
    begin({ id, rawBytes, delivery, partsOf }) {
      const deliveries = new Map([[delivery.streamSeq, delivery]])
      const frame: HeldFrame = { seq: nextSeq++, id, rawBytes, deliveries, partsOf }
      bySeq.set(frame.seq, frame)
      byId.set(id, frame)
      bytes += rawBytes
      return frame
    },
    done(seq) {
      const frame = bySeq.get(seq)
      if (frame === undefined) return undefined
      bySeq.delete(seq)
      byId.delete(frame.id)
      bytes -= frame.rawBytes
      remember(frame.id)
      return frame
    },
    drop() {
      const all = [...bySeq.values()]
      bySeq.clear()
      byId.clear()
      bytes = 0
      return all
    },
    all: () => bySeq.values(),
    frames: () => bySeq.size,
    rawBytes: () => bytes,
  }
}
