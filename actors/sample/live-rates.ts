// Keeps the streams' rates up to what is published: new settings, what the traffic makes of them, boosts that begin and end.
import type { FieldNames } from '../../kernel/fields.js'
import type { Scanner } from '../../kernel/scanner.js'
import type { SamplingOptions } from '../../protocol/config/sampling.js'
import type { Boost } from '../../protocol/traffic.js'
import type { ActorContext } from '../../runtime/actor.js'
import { type Decisions, decodeDecisions } from '../traffic/decisions.js'
import { createRuleBook, type RuleBook } from '../traffic/rule-book.js'
import { createRates } from './rates.js'
import type { Streams } from './streams.js'

export interface LiveRates {
  /** Before each batch: two atomic loads when nothing is new. */
  beforeBatch(): void
  /** Now and then, when no record is scanned that is not judged: what concerns the scan is changed then only. */
  betweenBatches(): void
  /** From now on also as soon as something is published, batch or no batch. */
  start(): void
  stop(): void
}

export function createLiveRates(context: ActorContext, scanner: Scanner, streams: Streams): LiveRates {
  const { live, clock } = context
  let settingsVersion = live.version()
  let decisionsVersion = live.decisions.version()
  let settings = readSettings()
  let decisions = decodeDecisions(live.decisions.read())
  let boosts = inForce()
  let boostEndsMs = endOf(boosts)
  let book: RuleBook | undefined
  let bookOf = ''
  /** The fields that the settings ask for, and those that the scanner looks for: as text, to be compared. */
  let wanted = ''
  let fields = ''
  let rates = makeRates()
  let ends: (() => void)[] = []
  streams.apply(rates)
  applyFields()

  /** What is published has passed the schema in the main thread; the schema's library alone would add a tenth to this thread's start. */
  function readSettings(): SamplingOptions {
    return JSON.parse(live.read()) as SamplingOptions
  }

  function inForce(): readonly Boost[] {
    const nowMs = clock.now()
    return decisions.boosts.filter(({ untilMs }) => untilMs > nowMs)
  }

  function makeRates(): ReturnType<typeof createRates> {
    const rules = JSON.stringify(settings.rules)
    // Compiled rules keep what was worked out with them.
    if (book === undefined || bookOf !== rules) book = createRuleBook(settings)
    bookOf = rules
    // Looking for them costs each record that has them some 80 ns: only when a rule asks.
    const asked = book.set.usesStatus || book.set.usesWindow
    wanted = JSON.stringify(asked ? fieldsOf(settings) : { status: [], latency: [] })
    const made = createRates(settings, boosts, book)
    made.decided(decisions)
    return made
  }

  function renew(): void {
    boosts = inForce()
    boostEndsMs = endOf(boosts)
    rates = makeRates()
    streams.apply(rates)
  }

  function applySettings(): void {
    const version = live.version()
    if (version === settingsVersion) return
    settingsVersion = version
    settings = readSettings()
    renew()
    if (wanted === fields) live.applied(version)
  }

  function applyFields(): void {
    if (wanted === fields) return
    fields = wanted
    scanner.setFields(JSON.parse(wanted) as FieldNames)
    live.applied(settingsVersion)
  }

  function applyDecisions(): void {
    const version = live.decisions.version()
    const ended = boostEndsMs <= clock.now()
    if (version === decisionsVersion && !ended) return
    decisionsVersion = version
    const before = decisions
    decisions = decodeDecisions(live.decisions.read())
    if (ended || !sameBoosts(before, decisions)) return renew()
    streams.apply(rates, rates.decided(decisions))
  }

  function beforeBatch(): void {
    applySettings()
    applyDecisions()
  }

  function betweenBatches(): void {
    beforeBatch()
    applyFields()
  }

  return {
    beforeBatch,
    betweenBatches,
    start: () => void (ends = [live.onChange(betweenBatches), live.decisions.onChange(betweenBatches)]),
    stop() {
      for (const end of ends) end()
    },
  }
}

function fieldsOf({ fields: { status, latency } }: SamplingOptions): FieldNames {
  return { status, latency: Object.entries(latency).map(([path, unit]) => ({ path, unit })) }
}

function endOf(boosts: readonly Boost[]): number {
  return Math.min(...boosts.map(({ untilMs }) => untilMs))
}

function sameBoosts(before: Decisions, after: Decisions): boolean {
  return JSON.stringify(before.boosts) === JSON.stringify(after.boosts)
}
