// Says this node's counts once a second, and knows what the other nodes of the cluster have seen.
import {
  type CountReceiver,
  createCountReceiver,
  createCountSum,
  type CountSum,
} from '../../protocol/traffic/receiver.js'
import { createCountSender } from '../../protocol/traffic/sender.js'
import {
  CLAIM,
  type CountsMessage,
  decodeCounts,
  encodeCounts,
  type ServiceCount,
} from '../../protocol/traffic/wire.js'
import type { Clock } from '../../runtime/clock.js'
import { createElection } from './election.js'
import { createTrafficSums, type TrafficSums } from './traffic-sums.js'

/** The subjects behind it, so that the exchange itself knows no connection. */
export interface TrafficPort {
  counts(bytes: Uint8Array): void
  sum(bytes: Uint8Array): void
  askNode(token: string): void
  askAll(): void
  askSum(): void
  /** Begins to hear all nodes' counts and the questions for sums; returns what ends it. */
  listen(): () => void
}

export interface TrafficExchangeOptions {
  readonly clock: Clock
  random(): number
  /** What the other nodes have seen in their last second; empty when none is heard. */
  peers(services: readonly ServiceCount[]): void
  /** A message that is not ours, or of one node too many. */
  refused(reason: 'form' | 'too_many_nodes'): void
}

export interface TrafficExchange {
  attach(port: TrafficPort): void
  detach(): void
  /** This node's counts of the last second. */
  local(counts: readonly ServiceCount[]): void
  onCounts(token: string, bytes: Uint8Array): void
  onSum(bytes: Uint8Array): void
  /** Asked to say everything: as a node, or as the one that sums. */
  onAsked(as: 'node' | 'sum'): void
  /** Once a second. */
  tick(): void
  status(): { readonly summing: boolean; readonly nodes: number; readonly sumAgeMs: number | undefined }
}

/** A local count that is older says nothing of now: the actor that counts is being restarted. */
const LOCAL_AGE_MS = 3000
/** The time that a new summing node may need to begin; then the own counts are all there is. */
const SUM_AGE_MS = 10_000
const EVERYTHING_EVERY_S = 60
const ASKED_NODES_MAX = 64

export function createTrafficExchange(options: TrafficExchangeOptions): TrafficExchange {
  const { clock } = options
  const number = () => Math.floor(options.random() * 2 ** 32)
  const own = number()
  const election = createElection(own, clock, () => options.random())
  const sender = createCountSender(number())
  const everythingAt = Math.floor(options.random() * EVERYTHING_EVERY_S)
  let port: TrafficPort | undefined
  let sums: TrafficSums | undefined
  let unlisten: () => void = () => undefined
  let local: { readonly counts: readonly ServiceCount[]; readonly atMs: number } = { counts: [], atMs: 0 }
  let total = createCountSum()
  let followed = createCountReceiver(total)
  /** A new leader's sum, until it has said one: the last one's stands so long. */
  let coming: { readonly sum: CountSum; readonly receiver: CountReceiver } | undefined
  let leader: number | undefined
  let sumMs: number | undefined
  let told = 0
  let ticks = 0
  /** Asked in this second already. */
  let asked = new Set<string>()

  function follow(message: CountsMessage): void {
    if (leader !== message.sender) {
      leader = message.sender
      const sum = createCountSum()
      coming = { sum, receiver: createCountReceiver(sum) }
    }
    if (message.kind === CLAIM) return
    if (!(coming?.receiver ?? followed).hear(message)) return port?.askSum()
    sumMs = clock.monotonic()
    if (coming === undefined) return
    total = coming.sum
    followed = coming.receiver
    coming = undefined
  }

  function stopSumming(): void {
    unlisten()
    unlisten = () => undefined
    sums = undefined
  }

  function startSumming(at: TrafficPort): void {
    election.begin()
    // Said before anything is known, so that the others wait on.
    at.sum(encodeCounts({ sender: own, seq: 0, kind: CLAIM, names: [], counts: [] }))
    unlisten = at.listen()
    sums = createTrafficSums(own, clock, () => at.askAll())
  }

  function tellPeers(): void {
    const fresh = sumMs !== undefined && clock.monotonic() - sumMs < SUM_AGE_MS
    const services: ServiceCount[] = []
    if (fresh) {
      for (const { namespace, service, key, info } of total.services()) {
        const others = info - sender.said(key)
        if (others > 0) services.push({ namespace, service, info: others })
      }
    }
    // Nothing is said again and again by a node that is alone.
    if (services.length > 0 || told > 0) options.peers(services)
    told = services.length
  }

  return {
    attach(fresh) {
      port = fresh
      election.reset()
      sender.refresh()
    },
    detach() {
      stopSumming()
      election.reset()
      port = undefined
    },
    local: (counts) => void (local = { counts, atMs: clock.monotonic() }),
    onCounts(token, bytes) {
      if (sums === undefined) return
      const message = decodeCounts(bytes)
      if (message === undefined) return options.refused('form')
      const whole = sums.hear(token, message)
      if (whole === undefined) return options.refused('too_many_nodes')
      if (whole || asked.has(token) || asked.size >= ASKED_NODES_MAX) return
      asked.add(token)
      port?.askNode(token)
    },
    onSum(bytes) {
      if (port === undefined) return
      const message = decodeCounts(bytes)
      if (message === undefined) return options.refused('form')
      if (!election.heard(message.sender)) return
      if (sums !== undefined && !election.summing()) stopSumming()
      follow(message)
    },
    onAsked(as) {
      if (as === 'node') sender.refresh()
      else sums?.refresh()
    },
    tick() {
      asked = new Set()
      const counts = clock.monotonic() - local.atMs < LOCAL_AGE_MS ? local.counts : []
      if (++ticks % EVERYTHING_EVERY_S === everythingAt) sender.refresh()
      if (port !== undefined) {
        tellPeers()
        for (const message of sender.encode(counts)) port.counts(message)
        if (election.due()) startSumming(port)
        for (const message of sums?.tick() ?? []) port.sum(message)
      } else tellPeers()
    },
    status: () => ({
      summing: sums !== undefined,
      nodes: sums?.nodes() ?? 0,
      sumAgeMs: sumMs === undefined ? undefined : Math.round(clock.monotonic() - sumMs),
    }),
  }
}
