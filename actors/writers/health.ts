// What a writer says about its backend: status to the supervisor, alerts in the log, outage and recovery to the journal, gauges.
import type { ActorContext } from '../../runtime/actor.js'
import type { BreakerState } from '../../runtime/breaker.js'
import { createStatusLine } from '../status-line.js'
import type { Ledger } from './ledger.js'
import type { Fault } from './writer.js'

export interface HealthReport {
  readonly breaker: BreakerState
  readonly fault: Fault | undefined
  /** Why dead letters cannot be written. */
  readonly buried: string | undefined
  readonly concurrency: number
  readonly inFlight: number
  readonly frames: number
  readonly bytes: number
  readonly waiting: number
}

export interface Health {
  breakerChanged(
    state: BreakerState,
    fault: Fault | undefined,
    ledger: Pick<Ledger, 'frames' | 'bytes'>,
  ): void
  /** The backend could not be opened, or now could. */
  openFailed(reason: string | undefined): void
  /** Once a second; a status is sent when it differs from the last one. */
  report(report: HealthReport): void
}

const GAUGE: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 0.5, open: 1 }

/** `from` is told of outages: the actor that feeds the writer. */
export function createHealth(context: ActorContext, backend: string, from: string): Health {
  const { clock, log, metrics } = context
  let unopened: string | undefined = 'not opened yet'
  let failedToOpen = false
  let outageMs: number | undefined
  let lastFault: string | undefined
  const tellStatus = createStatusLine(context)

  /** The journal must not send what would only wait, and begins the gap here. */
  function outage(reason: string): void {
    if (outageMs !== undefined) return
    outageMs = clock.monotonic()
    log.error({ backend, event: 'backend_down', reason }, `backend ${backend} is down: ${reason}`)
    context.send(from, { type: 'outage', writer: backend })
  }

  function recovered(ledger: Pick<Ledger, 'frames' | 'bytes'>): void {
    if (outageMs === undefined) return
    const seconds = Math.round((clock.monotonic() - outageMs) / 100) / 10
    outageMs = undefined
    const held = { heldFrames: ledger.frames(), heldBytes: ledger.bytes() }
    const text = `backend ${backend} is back after ${seconds} s; the journal fills the gap behind live records`
    log.error({ backend, event: 'backend_back', seconds, ...held }, text)
    context.send(from, { type: 'recovered', writer: backend })
  }

  function reasonOf(report: HealthReport): string | undefined {
    if (unopened !== undefined) return failedToOpen ? `${backend}: ${unopened}` : undefined
    if (report.buried !== undefined) return `${backend}: ${report.buried}`
    if (report.breaker !== 'closed') return `${backend}: ${lastFault ?? 'down'}`
    return report.fault === undefined ? undefined : `${backend}: ${report.fault.reason}`
  }

  return {
    breakerChanged(state, fault, ledger) {
      metrics.set('breaker_open', GAUGE[state], { backend })
      if (fault !== undefined) lastFault = fault.reason
      if (state === 'open') outage(lastFault ?? 'requests fail')
      else if (state === 'closed') recovered(ledger)
    },
    openFailed(reason) {
      unopened = reason
      const already = failedToOpen
      failedToOpen = reason !== undefined
      metrics.set('breaker_open', failedToOpen ? 1 : 0, { backend })
      if (failedToOpen && !already) {
        log.error(
          { backend, event: 'backend_down', reason },
          `backend ${backend} cannot be opened: ${reason}`,
        )
      } else if (!failedToOpen && already) {
        log.error({ backend, event: 'backend_back' }, `backend ${backend} is open`)
      }
    },
    report(report) {
      metrics.set('write_concurrency', report.concurrency, { backend })
      if (report.fault !== undefined) lastFault = report.fault.reason
      const { breaker, concurrency, inFlight, frames, bytes, waiting } = report
      const detail = {
        breaker: unopened === undefined ? breaker : 'open',
        opened: unopened === undefined,
        concurrency,
        inFlight,
        frames,
        bytes,
        waiting,
      }
      tellStatus(detail, reasonOf(report))
    },
  }
}
