// The part of `top` that shows how the busiest services are sampled.
import type { NodeSampling } from '../protocol/status.js'
import type { ServiceStatus } from '../protocol/traffic.js'
import { printable, table, whole } from './text-table.js'

const SHOWN_MAX = 10
const HEAD = ['service', 'records/s', 'kept/s', 'info rate', 'errors', 'p99', 'rules in force']
/** Columns from here on are text. */
const TEXT_FROM = 6

/** Nothing while no service has been seen. Lines without \n. */
export function samplingLines(sampling: NodeSampling | undefined): string[] {
  if (sampling === undefined || sampling.services.length === 0) return []
  const { services, tracked, overflow, boosts, refused } = sampling
  const more = overflow
    ? `${whole(tracked)} services, and more that share a rate`
    : `${whole(tracked)} services`
  const boosted = boosts.length === 0 ? '' : `   ${whole(boosts.length)} boosted`
  return [
    ...table([HEAD, ...services.slice(0, SHOWN_MAX).map(row)], TEXT_FROM),
    `${more}${boosted}`,
    ...(refused === undefined
      ? []
      : [`! new sampling settings were refused: ${printable(refused.reason.split('\n')[0] ?? '')}`]),
    '',
  ]
}

function row({
  namespace,
  service,
  seenPerSecond,
  keptPerSecond,
  infoRate,
  window,
  rules,
}: ServiceStatus): string[] {
  const { errorRate, p99Ms } = window
  return [
    `${namespace}/${service}`,
    whole(seenPerSecond),
    whole(keptPerSecond),
    infoRate === 1 ? '1' : infoRate.toPrecision(2),
    errorRate === undefined ? '' : `${(100 * errorRate).toFixed(1)} %`,
    p99Ms === undefined ? '' : latency(p99Ms),
    rules.join(', '),
  ]
}

function latency(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`
  return ms < 100 ? `${ms.toPrecision(3)} ms` : `${whole(ms)} ms`
}
