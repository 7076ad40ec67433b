// What is told of a run and of all runs together: faults, records, bounds, violations.
import type { Plan } from './plan.js'
import { BOUNDS, type RunResult } from './run.js'

const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`
const seconds = (ms: number) => (ms / 1000).toFixed(1)
const list = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .toSorted()
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none'

/** Of one run; where something was wrong, with the ends of the nodes' logs. */
export function summary({ shape }: Plan, result: RunResult): string {
  const journalMost = shape.journalBytes + BOUNDS.journalOverBytes
  const lines = [
    `records      ${result.records} demanded of each backend, ${result.unsure} pushed without an answer (${result.unsureStored} of them stored, both backends together)`,
    `faults       ${list(result.faults)}`,
    `not possible ${list(result.notMade)}`,
    `processes    ${shape.nodes} nodes, started ${result.starts} times`,
    `pushes       ${list(result.answers)}`,
    `dead letters ${result.deadLetters}, ${result.storedAndBuried} of them stored as well`,
    `copies       ${result.copies} of entries with the same record id`,
    `spoiled      ${result.spoiled} records in frames made unreadable: ${result.spoiledLost} lost, ${result.spoiledTwice} read again (both backends together)`,
    `bounds       RSS ${mib(result.peakRssBytes)} of ${mib(BOUNDS.rssBytes)}, journal ${mib(result.peakJournalBytes)} of ${mib(journalMost)}, data folder ${mib(result.peakDataBytes)} of ${mib(journalMost + BOUNDS.dataOverBytes)}`,
    `end          ready again after ${seconds(result.liveAgainMs)} of ${BOUNDS.liveAgainMs / 1000} s, delivered after ${seconds(result.deliveredMs)} of ${BOUNDS.deliveredMs / 1000} s with pauses up to ${seconds(result.longestPauseMs)} of ${BOUNDS.pauseMs / 1000} s`,
    `seconds      ${result.seconds.toFixed(0)}`,
    ...result.violations.map((violation) => `VIOLATION    ${violation}`),
  ]
  const logs = result.logs.map((log, n) => `\n--- the end of node ${n}'s log\n${log}`)
  return `${lines.map((line) => `  ${line}`).join('\n')}${logs.join('')}`
}

export interface Totals {
  add(plan: Plan, result: RunResult): void
  text(firstSeed: number): string
}

export function createTotals(): Totals {
  const faults = new Map<string, number>()
  const shapes = new Map<string, number>()
  let [runs, faultMinutes, records, starts, violations] = [0, 0, 0, 0, 0]
  let [peakRssBytes, liveAgainMs, deliveredMs] = [0, 0, 0]
  return {
    add({ durationMs, shape }, result) {
      runs++
      faultMinutes += durationMs / 60_000
      records += result.records
      starts += result.starts
      violations += result.violations.length
      peakRssBytes = Math.max(peakRssBytes, result.peakRssBytes)
      liveAgainMs = Math.max(liveAgainMs, result.liveAgainMs)
      deliveredMs = Math.max(deliveredMs, result.deliveredMs)
      for (const [kind, count] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + count)
      const kind = `${shape.nodes} nodes ${shape.buffer}`
      shapes.set(kind, (shapes.get(kind) ?? 0) + 1)
    },
    text: (firstSeed) =>
      [
        `${runs} runs from seed ${firstSeed}, ${faultMinutes.toFixed(1)} minutes of faults: ${records} records demanded of each backend, ${starts} processes started`,
        `faults: ${[...faults.values()].reduce((sum, count) => sum + count, 0)} (${list(faults)})`,
        `runs with ${list(shapes)}`,
        `at most: RSS ${mib(peakRssBytes)}, ready again after ${seconds(liveAgainMs)} s, delivered after ${seconds(deliveredMs)} s`,
        `${violations} violations`,
      ].join('\n'),
  }
}
