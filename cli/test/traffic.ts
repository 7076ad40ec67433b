// A test's traffic as the decisions that the actor `traffic` would have published: the same rule book, the figures as they are given.
import { encodeDecisions, type ServiceDecision } from '../../actors/traffic/decisions.js'
import { createRuleBook } from '../../actors/traffic/rule-book.js'
import type { Config } from '../../protocol/config/schema.js'
import type { ServiceName, WindowFigures } from '../../protocol/traffic.js'
import type { TestCase, TrafficOf } from './schema.js'

export interface SettledTraffic {
  /** For live.decisions. */
  readonly text: string
  /** Names of `traffic` that a service of the test has. */
  readonly met: ReadonlySet<string>
}

const BOOST_MS = 3_600_000

export function settleTraffic(
  { sampling }: Config,
  { traffic, boosts }: TestCase,
  services: readonly ServiceName[],
  nowMs: number,
): SettledTraffic {
  const book = createRuleBook(sampling)
  const met = new Set<string>()
  const decided = services.flatMap((name): [ServiceName, ServiceDecision][] => {
    const keys = [`${name.namespace}/${name.service}`, name.service, '*']
    const key = keys.find((each) => Object.hasOwn(traffic, each))
    if (key === undefined) return []
    met.add(key)
    const given = traffic[key] as TrafficOf
    const rules = book.service(name)
    // Any moment will do for the clock of `for`: only what lies between the two counts.
    if (given.before !== undefined) rules.observe(figuresOf(given.before), -given.before.ago)
    rules.observe(figuresOf(given), 0)
    return [[name, { infoPerSecond: given.qps, held: rules.text() }]]
  })
  const inForce = boosts.map((match) => ({ match: given(match), untilMs: nowMs + BOOST_MS }))
  return { text: encodeDecisions(book.key, decided, undefined, inForce), met }
}

function figuresOf({
  error_rate,
  p50,
  p90,
  p99,
}: Pick<TrafficOf, 'error_rate' | 'p50' | 'p90' | 'p99'>): WindowFigures {
  return given({ errorRate: error_rate, p50Ms: p50, p90Ms: p90, p99Ms: p99 })
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>
}
