// Sampling of a running node from the main thread: a new section is checked, published and awaited; boosts; what the node says of it.
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { BOOSTS_MAX } from '../actors/traffic/boosts.js'
import type { SamplingOptions } from '../protocol/config/sampling.js'
import { MillraceError, saidOf } from '../protocol/errors.js'
import type { MessageOf } from '../protocol/messages.js'
import type { NodeSampling } from '../protocol/status.js'
import type { Boost, BoostMatch, BoostOutcome } from '../protocol/traffic.js'
import { checkSampling } from '../runtime/config/sampling-section.js'
import type { LiveSettings } from '../runtime/live-settings.js'
import type { Metrics } from '../runtime/metrics.js'

export interface AppliedSampling {
  /** Version of the settings; grows with every reload of this process. */
  readonly revision: number
  /** From the call until every hot path had it. */
  readonly appliedMs: number
}

export interface LiveSampling {
  /**
   * Checks a `sampling` section (as YAML or JSON holds it) and swaps it in. Throws `config.sampling` with the reasons, and nothing has changed;
   * `sampling.late` when it is published and yet not taken up, because the ingest thread is being restarted or waits for the journal.
   */
  reload(section: unknown): Promise<AppliedSampling>
  /** As `reload`, for a section that has been checked. */
  apply(section: SamplingOptions): Promise<AppliedSampling>
  /**
   * Keeps all that matches until then (ms since the epoch), though an equal boost had another end; 0 ends it. Resolves with what is in
   * force; rejects with `sampling.boost` when it is refused, `sampling.late` when nobody answers.
   */
  boost(match: BoostMatch, untilMs: number): Promise<Exclude<BoostOutcome, { refused: string }>>
  boostAnswered(answer: MessageOf<'boost_answered'>): void
  /** New settings were refused before they came here: a file that cannot be read. Logged, counted, shown. */
  refuse(reason: string): void
  status(): NodeSampling
  told(status: MessageOf<'sampling_status'>): void
  /** The actor `traffic` was started again: what was sent to it meanwhile is sent once more. */
  restarted(): void
}

export interface LiveSamplingOptions {
  readonly live: LiveSettings
  readonly metrics: Metrics
  readonly log: Logger
  send(to: 'traffic', message: MessageOf<'boost'>): void
  nowMs(): number
}

const APPLIED_TIMEOUT_MS = 5000

interface Asked {
  readonly boost: Boost
  answer(outcome: BoostOutcome): void
}

export function createLiveSampling({ live, metrics, log, send, nowMs }: LiveSamplingOptions): LiveSampling {
  let last: MessageOf<'sampling_status'> | undefined
  let refused: NodeSampling['refused']
  let reloads = 0
  /** Those that have not ended; the actor bounds their number, so only the latest are kept here. */
  let given: readonly Boost[] = []
  const asked = new Map<number, Asked>()
  let asks = 0

  function refuse(reason: string): void {
    refused = { atMs: nowMs(), reason }
    metrics.add('sampling_reloads_total', 1, { outcome: 'refused' })
    log.error({ reason }, 'reload refused, nothing changed')
  }

  function orRefuse<T>(step: () => T): T {
    try {
      return step()
    } catch (error) {
      const large = error instanceof RangeError
      const reason = saidOf(error)
      refuse(reason)
      throw large ? new MillraceError('config.sampling', reason, { cause: error }) : error
    }
  }

  async function apply(section: SamplingOptions, startedMs: number): Promise<AppliedSampling> {
    const revision = orRefuse(() => live.publish(JSON.stringify(section)))
    const done = await live.whenApplied(revision, APPLIED_TIMEOUT_MS)
    metrics.add('sampling_reloads_total', 1, { outcome: done ? 'applied' : 'late' })
    reloads++
    if (!done) {
      const text = `sampling settings ${revision} are published, but no hot path has taken them up within ${APPLIED_TIMEOUT_MS / 1000} s; they take effect with its next records`
      throw new MillraceError('sampling.late', text)
    }
    const appliedMs = performance.now() - startedMs
    log.info({ revision, applied_ms: Number(appliedMs.toFixed(2)) }, 'new sampling settings applied')
    return { revision, appliedMs }
  }

  function ask(boost: Boost): Promise<BoostOutcome> {
    const id = ++asks
    return new Promise<BoostOutcome>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new MillraceError('sampling.late', 'boost: the actor traffic gives no answer; try again')),
        APPLIED_TIMEOUT_MS,
      )
      asked.set(id, {
        boost,
        answer(outcome) {
          clearTimeout(timer)
          resolve(outcome)
        },
      })
      send('traffic', { type: 'boost', ask: id, ...boost })
    }).finally(() => asked.delete(id))
  }

  return {
    async reload(section) {
      const startedMs = performance.now()
      return apply(
        orRefuse(() => checkSampling(section)),
        startedMs,
      )
    },
    apply: (section) => apply(section, performance.now()),
    async boost(match, untilMs) {
      const names = Object.values(match).filter((name) => name !== undefined)
      if (names.length === 0 || names.includes(''))
        throw new MillraceError('sampling.boost', 'boost: name a service, a namespace, a pod or a pod_uid')
      if (untilMs !== 0 && !(untilMs > nowMs()))
        throw new MillraceError(
          'sampling.boost',
          `boost: its end ${untilMs} is past; name a time to come, in ms since 1970`,
        )
      const outcome = await ask({ match, untilMs })
      if ('refused' in outcome) throw new MillraceError('sampling.boost', `boost refused: ${outcome.refused}`)
      const others = given.filter(
        (boost) => boost.untilMs > nowMs() && !isDeepStrictEqual(boost.match, match),
      )
      given = 'ended' in outcome ? others : [...others, { match, untilMs }].slice(-BOOSTS_MAX)
      return outcome
    },
    boostAnswered: ({ ask: id, outcome }) => asked.get(id)?.answer(outcome),
    refuse,
    status: () => ({
      revision: live.version(),
      reloads,
      ...(refused === undefined ? {} : { refused }),
      tracked: last?.tracked ?? 0,
      overflow: last?.overflow ?? false,
      services: last?.services ?? [],
      boosts: last?.boosts ?? [],
    }),
    told: (status) => void (last = status),
    restarted() {
      for (const boost of given) if (boost.untilMs > nowMs()) send('traffic', { type: 'boost', ...boost })
      for (const [id, { boost }] of asked) send('traffic', { type: 'boost', ask: id, ...boost })
    },
  }
}
