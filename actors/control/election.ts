// Which node sums the cluster's counts: the one that is heard; when none is, one that waited longest claims it, and the lowest number wins.
import type { Clock } from '../../runtime/clock.js'

/*
 * Every node hearing every node is nodes² messages a second: a million for a thousand nodes. One that sums makes it twice the nodes.
 * No lease is kept anywhere: sums are heard once a second, and silence is the only sign. Two that sum at once do no harm (each sum is
 * right), and the one with the higher number gives up when it hears the other.
 */
export interface Election {
  /** A sum or a claim of this sender was heard. False: another one is followed, ignore it. */
  heard(sender: number): boolean
  /** True when this node should begin to sum now. */
  due(): boolean
  begin(): void
  summing(): boolean
  /** The connection is gone: nothing is known. */
  reset(): void
}

/** So long without a sum, and its sender is taken for gone. */
const SILENCE_MS = 3000
/** Nodes that hear the same silence do not claim at the same time. */
const JITTER_MS = 2000

export function createElection(own: number, clock: Clock, random: () => number): Election {
  let summing = false
  let leader: number | undefined
  let heardMs = clock.monotonic()
  let patienceMs = SILENCE_MS + random() * JITTER_MS
  const silent = (limitMs: number) => clock.monotonic() - heardMs >= limitMs
  return {
    heard(sender) {
      if (sender === own) return summing
      // A higher number than one that still speaks is about to give up.
      const rival = summing ? own : leader
      if (rival !== undefined && sender > rival && !(rival !== own && silent(SILENCE_MS))) return false
      summing = false
      leader = sender
      heardMs = clock.monotonic()
      return true
    },
    due: () => !summing && silent(patienceMs),
    begin() {
      summing = true
      leader = own
    },
    summing: () => summing,
    reset() {
      summing = false
      leader = undefined
      heardMs = clock.monotonic()
      patienceMs = SILENCE_MS + random() * JITTER_MS
    },
  }
}
