// What a writer owes the journal: per delivered frame the records that are not yet stored or dead, and the memory they stand for.

export interface Ledger {
  /** A frame has been delivered; returns its ordinal, or undefined when it is owed already (the journal sent it again). */
  begin(seq: number, records: number, bytes: number): number | undefined
  /** Some of its records are stored or dead-lettered. */
  settle(seq: number, records: number): void
  /** Ordinal of the oldest frame that is not done. */
  oldest(): number | undefined
  frames(): number
  bytes(): number
}

interface Debt {
  readonly ordinal: number
  readonly bytes: number
  records: number
}

/** `onDone` is told each frame once, several at a time: those that become done in one turn of the event loop. */
export function createLedger(onDone: (seqs: readonly number[]) => void): Ledger {
  const debts = new Map<number, Debt>()
  let done: number[] = []
  let ordinal = 0
  let bytes = 0

  function finish(seq: number): void {
    bytes -= debts.get(seq)?.bytes ?? 0
    debts.delete(seq)
    if (done.length === 0) {
      queueMicrotask(() => {
        const seqs = done
        done = []
        onDone(seqs)
      })
    }
    done.push(seq)
  }

  return {
    begin(seq, records, frameBytes) {
      // Taking it twice would count its records twice, and call it done when half of it is stored.
      if (debts.has(seq)) return undefined
      debts.set(seq, { ordinal: ++ordinal, bytes: frameBytes, records })
      bytes += frameBytes
      if (records === 0) finish(seq)
      return ordinal
    },
    settle(seq, records) {
      const debt = debts.get(seq)
      if (debt === undefined) return
      debt.records -= records
      if (debt.records <= 0) finish(seq)
    },
    oldest() {
      for (const debt of debts.values()) return debt.ordinal
      return undefined
    },
    frames: () => debts.size,
    bytes: () => bytes,
  }
}
