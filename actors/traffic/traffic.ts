// traffic: follows each service's records, and publishes once a second which rates and rules come of them; sample reads it from shared memory.
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import type { MessageOf } from '../../protocol/messages.js'
import { serviceKey, type ServiceInfo } from '../../protocol/traffic.js'
import type { Actor, ActorContext } from '../../runtime/actor.js'
import { DECISIONS_BYTES_MAX } from '../../runtime/live-settings.js'
import { createBoosts } from './boosts.js'
import { decodeDecisions, encodeDecisions } from './decisions.js'
import { createRuleBook } from './rule-book.js'
import { createServiceState, infoOf, type ServiceState, type StateShape } from './service-state.js'
import { createServices } from './services.js'
import { createTrafficReport } from './report.js'

export interface TrafficOptions {
  /** The actor `control` is planned: it tells the other nodes, and is told of theirs. */
  readonly control: boolean
}

/** A service that was silent for so long is forgotten. */
const IDLE_MS = 300_000
/** What the other nodes said is void after this: `control` ages out single nodes, this is for its own silence. */
const PEERS_AGE_MAX_MS = 5000
/** What windows hold of the rules comes on top of names and figures. */
const LIST_BYTES_MAX = DECISIONS_BYTES_MAX / 2

export function traffic(context: ActorContext, options: TrafficOptions): Actor {
  const { clock, live, log, metrics } = context
  let version = live.version()
  let settings = readSettings()
  let shape = shapeOf(settings)
  const services = createServices<ServiceState>(
    (name) => createServiceState(shape, name),
    settings.info.services_max,
    LIST_BYTES_MAX,
  )
  const boosts = createBoosts()
  const report = createTrafficReport(context)
  let peers: ReadonlyMap<string, number> = new Map()
  let peersAtMs = Number.NEGATIVE_INFINITY
  let published = ''
  let endWatch = (): void => undefined

  /** What is published has passed the schema in the main thread. */
  function readSettings(): SamplingOptions {
    return JSON.parse(live.read()) as SamplingOptions
  }

  function applySettings(): void {
    if (live.version() === version) return
    version = live.version()
    settings = readSettings()
    shape = shapeOf(settings, shape)
    services.resize(settings.info.services_max)
    for (const { state } of services.each()) state.configure(shape, clock.monotonic())
    publish()
  }

  function onTraffic({ elapsedMs, services: counts }: MessageOf<'traffic'>): void {
    applySettings()
    const nowMs = clock.monotonic()
    for (const count of counts) {
      const entry = services.of(count, nowMs)
      entry.state.gather(count)
      if (entry === services.shared) metrics.add('sampling_shared_records_total', count.seen)
    }
    const silent = nowMs - peersAtMs > PEERS_AGE_MAX_MS
    // A step that took long, because the sampler had to wait, counts for as many seconds, as far back as anything is remembered.
    const remembered = Math.max(shape.estimateSeconds, shape.windowSteps)
    const seconds = Math.min(remembered, Math.max(1, Math.round(elapsedMs / 1000)))
    const local: ServiceInfo[] = []
    for (const entry of services.each()) {
      const peersInfo = silent || entry === services.shared ? 0 : (peers.get(entry.key) ?? 0)
      const info = entry.state.step({ elapsedMs: Math.max(1, elapsedMs), seconds }, peersInfo, nowMs)
      if (info > 0 && entry !== services.shared) local.push(infoOf(entry, info))
    }
    services.expire(nowMs, IDLE_MS)
    boosts.expire(clock.now())
    publish()
    if (options.control) context.send('control', { type: 'traffic_local', services: local })
    report.tell(version, settings, services, boosts.list())
  }

  /** Writes what differs; too much to fit, which the bounds on names and rules all but exclude, changes nothing. */
  function publish(): void {
    const shared = services.full() ? services.shared.state.decision() : undefined
    const own = Array.from(services.each()).filter((entry) => entry !== services.shared)
    const text = encodeDecisions(
      shape.book.key,
      own.map((entry) => [entry, entry.state.decision()] as const),
      shared,
      boosts.list(),
    )
    if (text === published) return
    try {
      live.decisions.publish(text)
      published = text
    } catch (error) {
      metrics.add('sampling_decisions_refused_total', 1)
      log.error({ err: error }, 'sampling decisions were not published, the last ones stay')
    }
  }

  /** After a restart: rates stay as they were until there are new estimates. */
  function goOn(): void {
    published = live.decisions.read()
    const before = decodeDecisions(published)
    const nowMs = clock.monotonic()
    const held = (text: string): string => (before.rules === shape.book.key ? text : '')
    for (const decision of before.services.values()) {
      const entry = services.of(decision, nowMs)
      if (entry !== services.shared) entry.state.seed({ ...decision, held: held(decision.held) }, nowMs)
    }
    if (before.shared !== undefined) {
      services.shared.seenMs = nowMs
      services.shared.state.seed({ ...before.shared, held: held(before.shared.held) }, nowMs)
    }
    for (const boost of before.boosts) boosts.lengthen(boost, clock.now())
  }

  return {
    start() {
      goOn()
      endWatch = live.onChange(applySettings)
    },
    stop: () => endWatch(),
    on: {
      traffic: onTraffic,
      traffic_peers({ services: infos }) {
        peers = new Map(infos.map((info) => [serviceKey(info), info.info]))
        peersAtMs = clock.monotonic()
      },
      boost({ match, untilMs, ask }) {
        const boost = { match, untilMs }
        const outcome =
          ask === undefined ? boosts.lengthen(boost, clock.now()) : boosts.set(boost, clock.now())
        if ('refused' in outcome) {
          metrics.add('sampling_boosts_refused_total', 1)
          log.warn({ match, untilMs, reason: outcome.refused }, 'boost refused')
        } else publish()
        if (ask !== undefined) context.send('supervisor', { type: 'boost_answered', ask, outcome })
      },
    },
  }
}

/** The same rules stay the same book, so that what they hold goes on. */
function shapeOf({ info, window, rules }: SamplingOptions, before?: StateShape): StateShape {
  const book = createRuleBook({ rules })
  const timed = JSON.stringify(rules)
  return {
    estimateSeconds: Math.round(info.window / 1000),
    windowSteps: Math.max(1, Math.round(window.length / 1000)),
    recordsMin: window.records_min,
    book: before !== undefined && before.rulesText === timed ? before.book : book,
    rulesText: timed,
  }
}
